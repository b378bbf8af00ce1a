"""`selfhvd train`: a network from a dataset, by the paper's method or from the truth."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfhvd.errors import InputError, PartialError


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
        recipe: a TOML file, or the name of one that comes along, as goproshake-basicvsrpp; docs/training.md explains
            the keys.
        out: the run's folder: merged recipe, journal, state, weights.
        change: KEY=VALUE, as method.stage_one.steps=100; wins over the recipe. May be given several times.
        per_clip: each clip trains a network of its own from the same start, and is restored with it.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.cli.progress import shown_progress
    from selfhvd.cli.signals import stopping
    from selfhvd.training.job import train as run
    from selfhvd.training.recipe import read_recipe
    from selfhvd.training.shipped import recipe_file

    read = read_recipe(recipe_file(recipe), change)
    read = replace(read, per_clip=True) if per_clip else read
    unfinished = f"stopped; run the same command again to go on ({out} holds the state)."
    with stopping(unfinished, grace=None) as stop, shown_progress(quiet) as progress:
        trained = run(read, out, on_progress=progress, on_fault=_tell_fault, stop=stop)
    if not trained.first:
        return
    sys.stdout.write(f"{trained.result}\n")
    if trained.faults:
        raise PartialError(f"{len(trained.faults)} of {len(trained.faults) + trained.clips} clips could not be used.")


def _tell_fault(fault: InputError) -> None:
    sys.stderr.write(f"selfhvd: {fault}\n")
