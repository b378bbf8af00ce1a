"""`selfhvd train`: a network from a dataset, by the paper's method or from the truth."""

import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated

from cyclopts import Parameter

from selfhvd.errors import INTERRUPTED, TERMINATED, PartialError


def train(
    recipe: Path,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    change: Annotated[Sequence[str], Parameter(name="--set", negative="")] = (),
    per_clip: Annotated[bool, Parameter(negative="")] = False,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")] = False,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")] = False,
) -> None:
    """Train a network on a dataset, as a recipe says; run the same command again to go on after a stop or a crash.

    Several processes, GPUs or machines: `torchrun --nproc-per-node 2 -m selfhvd train RECIPE.toml --out RUN`.

    Args:
        recipe: a TOML file; the folder recipes/ has some, and docs/training.md explains the keys.
        out: the run's folder: merged recipe, journal, state, weights.
        change: KEY=VALUE, as method.stage_one.steps=100; wins over the recipe. May be given several times.
        per_clip: each clip trains a network of its own from the same start, and is restored with it.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.cli.progress import shown_progress
    from selfhvd.errors import Stopped
    from selfhvd.training.job import train as run
    from selfhvd.training.recipe import read_recipe

    read = read_recipe(recipe, change)
    read = replace(read, per_clip=True) if per_clip else read
    asked: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        if asked:
            sys.exit(_code(signum))
        asked.append(signum)

    before = {signum: signal.signal(signum, note) for signum in (signal.SIGTERM, signal.SIGINT)}
    try:
        with shown_progress(quiet) as progress:
            trained = run(
                read,
                out,
                on_progress=progress,
                on_fault=lambda fault: _say(f"selfhvd: {fault}"),
                stop=lambda: bool(asked),
            )
    except Stopped:
        _say(f"selfhvd: stopped; run the same command again to go on ({out} holds the state).")
        sys.exit(_code(asked[0] if asked else signal.SIGTERM))
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    if not trained.first:
        return
    sys.stdout.write(f"{trained.result}\n")
    if trained.faults:
        raise PartialError(f"{len(trained.faults)} of {len(trained.faults) + trained.clips} clips could not be used.")


def _code(signum: int) -> int:
    return INTERRUPTED if signum == signal.SIGINT else TERMINATED


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
