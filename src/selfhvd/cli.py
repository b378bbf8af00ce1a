"""The command line: parse, call a job, print the result; errors as one sentence and an exit code."""

import json
import logging
import os
import signal
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from selfhvd.cli_benchmark import benchmark
from selfhvd.cli_datasets import datasets
from selfhvd.cli_evaluate import evaluate
from selfhvd.cli_synthesize import app as synthesize_app
from selfhvd.cli_train import train
from selfhvd.cli_weights import app as weights_app
from selfhvd.errors import SelfHVDError, UsageError

Preset = Literal["fast", "balanced", "best"]
Flow = Literal["auto", "dis", "sea-raft-s", "sea-raft-m", "raft", "flowformer++"]
TERMINATED = 143
INTERRUPTED = 130

app = App(
    name="selfhvd",
    help="""Give a blurry handheld video back sharp, by learning from the sharp frames it already contains.

    For example:

    `selfhvd clip.mp4` writes clip_deblurred.mp4 beside it, and a report to look at.

    `selfhvd inspect clip.mp4` shows which frames are sharp.

    `selfhvd demo` needs no file.

    Exit codes: 0 good, 1 unexpected fault, 2 usage, 3 input, 4 output or disk, 5 device or memory, 6 weights,
    7 some inputs of several failed, 130 interrupted, 143 terminated.""",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
app.command(weights_app)
app.command(synthesize_app)
app.command(datasets)
app.command(evaluate)
app.command(train)
app.command(benchmark)


@app.default
@app.command
def deblur(
    source: Path,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    preset: Preset = "fast",
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    backbone: str | None = None,
    weights: Path | None = None,
    flow: Flow = "auto",
    flow_weights: Path | None = None,
    flow_resolution: float = 1.0,
    from_scratch: Annotated[bool, Parameter(negative="")] = False,
    max_minutes: float | None = None,
    segment: int = 20,
    seed: int = 0,
    device: str = "auto",
    report: bool = True,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")] = False,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")] = False,
) -> None:
    """Deblur one video (or a folder of images).

    Args:
        source: the clip; it is never touched.
        output: a video file, or a folder for PNG frames; default: CLIP_deblurred beside the clip.
        preset: fast uses the base weights as they are; balanced and best learn from the clip.
        overwrite: replace an existing output.
        backbone: lite, ifirnn, estrnn, basicvsrpp or rvrt; default: the one that the weights are of, else lite.
        weights: weights to start from, instead of the base weights that come with selfhvd.
        flow: the optical flow that aligns frames; auto takes sea-raft-m where it is at hand and a GPU too, else dis.
        flow_weights: weights of the flow network, instead of what was fetched.
        flow_resolution: find flow on frames reduced to this part of their size (0.25 as the authors' later code).
        from_scratch: start from an untrained network, as in the paper.
        max_minutes: end the learning after so many minutes with what it has; fast learns nothing from base weights.
        segment: at least one sharp frame is chosen in each segment of so many frames.
        seed: same seed, same frames (on a CPU).
        device: auto, cpu, cuda, cuda:N or mps.
        report: write OUTPUT.report.html and OUTPUT.run.json.
        quiet: say nothing but errors.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.config import preset_config
    from selfhvd.jobs import deblur as run
    from selfhvd.progress import shown_progress
    from selfhvd.weights import name_of

    if from_scratch and weights is not None:
        raise UsageError("--from-scratch ignores weights, so it does not go together with --weights.")
    if not 0 < flow_resolution <= 1:
        raise UsageError("--flow-resolution must be above 0 and at most 1.")
    if segment < 1 or (max_minutes is not None and max_minutes < 0):
        raise UsageError("--segment must be at least 1 and --max-minutes at least 0.")
    named = backbone or (name_of(weights) if weights else "lite")
    base = preset_config(preset, backbone=named, from_scratch=from_scratch, weights=weights)
    config = replace(
        base,
        flow=flow,
        flow_weights=flow_weights,
        align=replace(base.align, resolution=flow_resolution),
        max_minutes=max_minutes,
        seed=seed,
        device=device,
        sharp=replace(base.sharp, segment=segment),
        adapt=replace(base.adapt, batch=replace(base.adapt.batch, segment=segment)),
    )
    with shown_progress(quiet) as progress:
        facts = run(source, output, config=config, overwrite=overwrite, report=report, on_progress=progress)
    for warning in facts.warnings:
        _say(f"warning: {warning}", quiet)
    _say(_in_words(facts.selection.verdict, facts.selection.ratio), quiet)
    _out(facts.output)


@app.command
def inspect(
    source: Path,
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    plot: Path | None = None,
    segment: int = 20,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")] = False,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")] = False,
) -> None:
    """Show how sharp each frame is, and which frames were chosen as sharp.

    Args:
        source: the clip; it is never touched.
        as_json: print the facts as JSON.
        plot: draw the sharpness over time into this PNG file.
        segment: at least one sharp frame is chosen in each segment of so many frames.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.inspection import inspection_json, inspection_table
    from selfhvd.jobs import inspect as run
    from selfhvd.method.sharp import SharpConfig
    from selfhvd.progress import shown_progress

    if segment < 1:
        raise UsageError("--segment must be at least 1.")
    if plot is not None and plot.exists() and source.exists() and plot.samefile(source):
        raise UsageError(f"--plot {plot} is the clip itself; give the picture another name.")
    with shown_progress(quiet or as_json) as progress:
        footage, selection = run(source, sharp=SharpConfig(segment=segment), on_progress=progress)
    if plot is not None:
        from selfhvd.inspection import save_plot

        save_plot(plot, selection)
    if as_json:
        _out(json.dumps(inspection_json(footage, selection), indent=2))
    else:
        Console().print(inspection_table(footage, selection))
        _out(_in_words(selection.verdict, selection.ratio))


@app.command
def demo(
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])] = Path("selfhvd-demo"),
    preset: Preset = "fast",
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")] = False,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")] = False,
) -> None:
    """Film a photo with a virtual shaking phone, deblur the clip, and measure against the truth.

    Args:
        output: folder for the clips, the picture and the report.
        preset: how long to learn from the clip.
        overwrite: replace an existing folder.
        seed: another seed, another shake.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.demo import run_demo
    from selfhvd.progress import shown_progress

    with shown_progress(quiet) as progress:
        scores = run_demo(output, preset=preset, seed=seed, overwrite=overwrite, on_progress=progress)
    Console().print(scores.table())
    _out(str(output))


def main() -> None:
    """Entry point: run the command line and leave with a documented exit code."""
    words = sys.argv[1:]
    # On a busy machine threads that wait by spinning make everything several times slower. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    verbose = "-v" in words or "--verbose" in words
    quiet = "-q" in words or "--quiet" in words
    level = logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s")
    if not quiet:
        # Which flow `auto` came to, and why, is said always.
        logging.getLogger("selfhvd.flow_choice").setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app(words, exit_on_error=False, print_error=True)
    except CycloptsError:
        sys.exit(UsageError.exit_code)
    except SelfHVDError as error:
        _fail(str(error), verbose)
        sys.exit(error.exit_code)
    except KeyboardInterrupt as stop:
        _fail(str(stop) or "interrupted; no unfinished file is left.", verbose=False)
        sys.exit(INTERRUPTED)
    except Exception as error:
        told = (str(error).splitlines() or [""])[0]
        _fail(f"unexpected fault in selfhvd: {type(error).__name__}: {told} (run again with -v for details)", verbose)
        sys.exit(SelfHVDError.exit_code)


def _terminate(signum: int, frame: FrameType | None) -> None:
    sys.exit(TERMINATED)


def _in_words(verdict: str, ratio: float) -> str:
    if verdict == "all-sharp":
        return "Every frame is sharp: nothing to do, the clip is handed through as it is."
    if verdict == "none-sharp":
        return "No frame is sharp: detail comes from the general model, not from this clip."
    return f"{ratio:.0%} of the frames are sharp."


def _out(text: str) -> None:
    sys.stdout.write(text + "\n")


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        sys.stderr.write(text + "\n")


def _fail(sentence: str, verbose: bool) -> None:
    if verbose:
        traceback.print_exc()
    sys.stderr.write(f"selfhvd: {sentence}\n")
