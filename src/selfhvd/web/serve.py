"""Serving: everything is checked, the folder taken, the port opened, and then the page is there."""

import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selfhvd.errors import OutputError, UsageError
from selfhvd.system.atomic import remove, write_aside
from selfhvd.system.lock import locked
from selfhvd.web.record import Job, State, Wanted
from selfhvd.web.store import JobStore

if TYPE_CHECKING:
    from selfhvd.web.app import Site

_GRACE = 20.0
"""Seconds to wait until what runs has saved its state."""
_CLOSING = 2
"""Seconds that answers under way have when the server ends."""


@dataclass(frozen=True)
class ServeOptions:
    """How the page is served."""

    folder: Path
    """Of the jobs."""
    host: str = "127.0.0.1"
    port: int = 8765
    """0: any that is free."""
    tokens: Path | None = None
    allow: tuple[Path, ...] = ()
    """Folders whose clips may be named."""
    known_as: tuple[str, ...] = ()
    """Other names of the server."""
    at_once: int = 1
    """Runs at a time."""
    upload: int = 20_000_000_000
    """Bytes of a clip that is sent."""
    jobs: int = 200
    """That one owner may have."""


def jobs_folder() -> Path:
    """Where jobs lie unless somebody says otherwise: $SELFHVD_JOBS, or a folder in the user's data."""
    if own := os.environ.get("SELFHVD_JOBS"):
        return Path(own)
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "selfhvd" / "Jobs"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "selfhvd" / "jobs"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "selfhvd" / "jobs"


def serve(options: ServeOptions, say: Callable[[str], None], on_ready: Callable[[str], None]) -> None:
    """Show the page until this process is told to end; jobs go on after it.

    Args:
        options: how.
        say: told what a person should know.
        on_ready: told the address, once it answers.

    Raises:
        UsageError: the extra is missing, an option makes no sense, the port is taken.
        OutputError: the folder cannot be used, or another server has it.
    """
    _check_extra()
    import uvicorn

    from selfhvd.web.app import make_app
    from selfhvd.web.keeper import Keeper

    store = JobStore(options.folder.absolute())
    store.make()
    with locked(store.path / "server", _served(store)):
        site = _site(options, store, say)
        opened = _opened(options)
        address = _address(options.host, opened)
        write_aside(store.path / "address", address.encode())
        store.sweep()
        keeper = Keeper(store, options.at_once)
        config = uvicorn.Config(
            make_app(site), log_level="warning", access_log=False, server_header=False, ws="none",
            timeout_graceful_shutdown=_CLOSING, lifespan="off",
        )  # fmt: skip
        keeper.start()
        on_ready(address)
        try:
            with suppress(KeyboardInterrupt):
                uvicorn.Server(config).run(sockets=[opened])
        finally:
            keeper.stop()
            opened.close()
            remove(store.path / "address")
            _tell_what_goes_on(store, say)


def stop_jobs(folder: Path, say: Callable[[str], None]) -> None:
    """Pause everything that runs or waits in a folder of jobs, whether a server is up or not, and wait for it."""
    store = JobStore(folder.absolute())
    if not store.jobs.is_dir():
        raise UsageError(f"{folder} is no folder of jobs; name it with --folder.")
    for entry in store.all():
        store.change(entry.job.id, _paused)
    deadline = time.monotonic() + _GRACE
    while (left := _count(store, State.PAUSING)) and time.monotonic() < deadline:
        time.sleep(0.2)
    if left:
        raise OutputError(f"{left} of the jobs in {folder} did not stop within {_GRACE:.0f} s; try again.")
    say(f"{_count(store, State.PAUSED)} clips are paused; go on with them on the page.")


def _paused(job: Job) -> Job:
    return job.model_copy(update={"wanted": Wanted.PAUSE}) if job.wanted == Wanted.RUN else job


def _count(store: JobStore, state: State) -> int:
    return sum(entry.state == state for entry in store.all())


def _check_extra() -> None:
    try:
        import fastapi  # noqa: F401 # pyright: ignore[reportUnusedImport]
        import uvicorn  # noqa: F401 # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise UsageError("The page needs fastapi and uvicorn; install them with: pip install '.[web]'") from None


def _site(options: ServeOptions, store: JobStore, say: Callable[[str], None]) -> "Site":
    """What the routes need to know; a server that others reach asks for tokens."""
    from selfhvd.web.access import kept_secret, read_owners
    from selfhvd.web.app import Site
    from selfhvd.web.hosts import hosts_of, is_loopback
    from selfhvd.web.paths import allowed
    from selfhvd.web.uploads import Limits

    local = is_loopback(options.host) and not options.known_as  # a name of its own is for others, behind a proxy
    token = None
    if not local and options.tokens is None:
        token = kept_secret(store.path / "token")
        say(f"Whoever opens the page from elsewhere needs this token: {token}")
    if not is_loopback(options.host):
        say("What is sent over the network is not encrypted; put it behind a server that does, or use an SSH tunnel.")
    return Site(
        store=store,
        owners=read_owners(options.tokens, store.path, token),
        hosts=hosts_of(options.host, options.known_as),
        allowed=allowed(options.allow, store.path),
        limits=Limits(upload=options.upload, jobs=options.jobs),
        is_local=local,
    )


def _opened(options: ServeOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((options.host, options.port))
        opened.listen(512)
    except OSError as error:
        opened.close()
        raise UsageError(
            f"The page cannot be opened at {options.host}, port {options.port} ({error.strerror}); "
            "choose another --port, or 0 for any that is free."
        ) from error
    return opened


def _address(host: str, opened: socket.socket) -> str:
    shown = "localhost" if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{opened.getsockname()[1]}/"


def _served(store: JobStore) -> OutputError:
    where = ""
    with suppress(OSError):
        where = f" at {(store.path / 'address').read_text(encoding='utf-8')}"
    return OutputError(f"{store.path} is served already{where}; open that, or choose another --folder.")


def _tell_what_goes_on(store: JobStore, say: Callable[[str], None]) -> None:
    """What is left to itself when the server ends."""
    running, queued = _count(store, State.RUNNING), _count(store, State.QUEUED)
    if running:
        clips = "clip goes" if running == 1 else "clips go"
        say(f"{running} {clips} on being restored without the page; selfhvd serve --stop pauses that.")
    if queued:
        clips = "clip waits" if queued == 1 else "clips wait"
        say(f"{queued} {clips} until selfhvd serve is started again.")
