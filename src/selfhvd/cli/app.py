"""The command line: parse, call a job, print the result; errors as one sentence and an exit code."""

import json
import os
import signal
import sys
from difflib import get_close_matches
from pathlib import Path
from types import FrameType
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from selfhvd.cli.benchmark import benchmark
from selfhvd.cli.datasets import datasets
from selfhvd.cli.deblur import Preset, deblur
from selfhvd.cli.doctor import doctor
from selfhvd.cli.evaluate import evaluate
from selfhvd.cli.fleet import app as fleet_app
from selfhvd.cli.reproduce import reproduce
from selfhvd.cli.serve import serve
from selfhvd.cli.synthesize import app as synthesize_app
from selfhvd.cli.train import train
from selfhvd.cli.weights import app as weights_app
from selfhvd.cli.words import (
    AsJson,
    Flag,
    Quiet,
    ShownProgress,
    Verbose,
    fail,
    in_words,
    out,
    set_up_logging,
    set_up_names,
)
from selfhvd.errors import INTERRUPTED, TERMINATED, OutputError, SelfHVDError, UsageError

app = App(
    name="selfhvd",
    help="""Give a blurry handheld video back sharp, by learning from the sharp frames it already contains.

    For example:

    `selfhvd clip.mp4` writes clip_deblurred.mp4 beside it, and a report to look at.

    `selfhvd a.mp4 b.mp4 folder/ -o sharp/` does many; `--dry-run` says before what disk, memory and time it takes.

    `selfhvd inspect clip.mp4` shows which frames are sharp.

    `selfhvd demo` needs no file.

    Exit codes: 0 good, 1 unexpected fault, 2 usage, 3 input, 4 output or disk, 5 device or memory, 6 weights,
    7 some inputs of several failed, 130 interrupted, 143 terminated.""",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
app.default(deblur)
app.command(deblur)
app.command(doctor)
app.command(weights_app)
app.command(synthesize_app)
app.command(datasets)
app.command(evaluate)
app.command(train)
app.command(benchmark)
app.command(reproduce)
app.command(serve)
app.command(fleet_app)


@app.command
def inspect(
    source: Path,
    *,
    as_json: AsJson = False,
    plot: Path | None = None,
    start: str | None = None,
    end: str | None = None,
    segment: int = 20,
    progress: ShownProgress = "auto",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show how sharp each frame is, and which frames were chosen as sharp.

    Args:
        source: the clip; it is never touched.
        as_json: print the facts as JSON.
        plot: draw the sharpness over time into this PNG file.
        start: look only at the part from this time of the clip on, in seconds or as H:MM:SS.
        end: look only at what comes before this time.
        segment: at least one sharp frame is chosen in each segment of so many frames.
        progress: auto, lines, none, or json: one object a line on stderr.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.cli.inspection import inspection_json, inspection_table
    from selfhvd.cli.progress import shown_progress
    from selfhvd.extensions.selection import SharpConfig
    from selfhvd.run.job import inspect as run

    if segment < 1:
        raise UsageError("--segment must be at least 1.")
    if plot is not None and plot.exists() and source.exists() and plot.samefile(source):
        raise UsageError(f"--plot {plot} is the clip itself; give the picture another name.")
    if plot is not None and not plot.absolute().parent.is_dir():
        raise OutputError(f"{plot.absolute().parent} does not exist or is no folder; create it first.")
    with shown_progress(quiet or (as_json and progress != "json"), style=progress) as told:
        footage, selection = run(source, sharp=SharpConfig(segment=segment), start=start, end=end, on_progress=told)
    if plot is not None:
        from selfhvd.cli.inspection import save_plot

        save_plot(plot, selection)
    if as_json:
        out(json.dumps(inspection_json(footage, selection), indent=2))
    else:
        Console().print(inspection_table(footage, selection))
        out(in_words(selection.verdict, selection.ratio))


@app.command
def demo(
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])] = Path("selfhvd-demo"),
    preset: Preset = "fast",
    overwrite: Flag = False,
    seed: int = 0,
    progress: ShownProgress = "auto",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Film a photo with a virtual shaking phone, deblur the clip, and measure against the truth.

    Args:
        output: folder for the clips, the picture and the report.
        preset: how many sharp frames help each frame.
        overwrite: replace an existing folder.
        seed: another seed, another shake.
        progress: auto, lines, none, or json: one object a line on stderr.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.cli.demo import run_demo
    from selfhvd.cli.progress import shown_progress

    with shown_progress(quiet, style=progress) as told:
        scores = run_demo(output, preset=preset, seed=seed, overwrite=overwrite, on_progress=told)
    Console().print(scores.table())
    out(str(output))


def main() -> None:
    """Run the command line and leave with a documented exit code."""
    words = sys.argv[1:]
    set_up_names()
    set_up_logging(words)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _refuse_misspelt(words)
        app(words, exit_on_error=False, print_error=True)
    except CycloptsError:
        sys.exit(UsageError.exit_code)
    except SelfHVDError as error:
        fail(str(error), error.exit_code, words)
        sys.exit(error.exit_code)
    except KeyboardInterrupt as stop:
        fail(str(stop) or "interrupted; no unfinished file is left.", INTERRUPTED, words)
        sys.exit(INTERRUPTED)
    except Exception as error:
        told = (str(error).splitlines() or [""])[0]
        what = f"{type(error).__name__}: {told} (run again with -v for details)"
        fail(f"unexpected fault in selfhvd: {what}", SelfHVDError.exit_code, words)
        sys.exit(SelfHVDError.exit_code)


def _refuse_misspelt(words: list[str]) -> None:
    """A first word that is nearly a command, and no file, is not taken for a clip."""
    first = words[0] if words else "-"
    if first.startswith("-") or first in app or os.path.lexists(first):
        return
    if near := get_close_matches(first, [name for name in app if not name.startswith("-")], 1, 0.8):
        raise UsageError(f"{first} is no command and no file; did you mean {near[0]}?")


def _terminate(signum: int, frame: FrameType | None) -> None:
    sys.exit(TERMINATED)
