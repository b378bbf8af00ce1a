"""`selfhvd serve`: the page."""

import webbrowser
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfhvd.cli.words import Flag, Quiet, Verbose, out, say
from selfhvd.errors import UsageError


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    folder: Path | None = None,
    allow: Annotated[tuple[Path, ...], Parameter(negative="")] = (),
    tokens: Path | None = None,
    also_known_as: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    at_once: int = 1,
    max_upload: float = 20.0,
    max_jobs: int = 200,
    open_browser: Annotated[bool, Parameter(name="--open", negative="")] = False,
    stop: Flag = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show a page in the browser on which clips are given, watched and compared; nothing leaves this machine.

    Jobs go on when the page, the browser or this server is closed. See docs/page.md.

    Args:
        host: the address to listen on. Any but this machine's own asks everybody for a token.
        port: to listen on; 0 takes any that is free.
        folder: where clips and results are kept; default: a folder in your data.
        allow: a folder of this machine whose clips may be named on the page instead of being sent; may be given
            several times.
        tokens: a file with a name and a token a line; each sees only what is theirs. Without one, a server that
            others reach makes a token itself.
        also_known_as: another name that the server goes by, as behind a proxy; everybody is asked for a token
            then. May be given several times.
        at_once: clips that are restored at the same time.
        max_upload: the largest clip that can be sent, GB.
        max_jobs: clips that one person may have there.
        open_browser: open the page in the browser.
        stop: pause everything that runs or waits in the folder, with its state saved, and end.
        quiet: print nothing but the address.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.web.serve import ServeOptions, jobs_folder, stop_jobs
    from selfhvd.web.serve import serve as run

    def tell(text: str) -> None:
        say(text, quiet)

    def ready(address: str) -> None:
        out(address)
        tell("Open it in a browser. Ctrl-C ends the page; what is being restored goes on.")
        if open_browser:
            webbrowser.open(address)

    folder = folder or jobs_folder()
    if stop:
        stop_jobs(folder, tell)
        return
    if at_once < 1 or max_jobs < 1:
        raise UsageError("--at-once and --max-jobs must be at least 1.")
    if not 0 < max_upload <= 10_000:
        raise UsageError(f"--max-upload {max_upload:g} must be above 0 and at most 10000 GB.")
    if not 0 <= port < 65536:
        raise UsageError(f"--port {port} must be from 0 to 65535.")
    options = ServeOptions(
        folder=folder,
        host=host,
        port=port,
        tokens=tokens,
        allow=allow,
        known_as=also_known_as,
        at_once=at_once,
        upload=round(max_upload * 1e9),
        jobs=max_jobs,
    )
    run(options, tell, ready)
