"""Progress for people: a bar with a moving ETA on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from selfhvd.adapt import Progress, silent

_LINE_EVERY = 15.0
"""Seconds between plain lines within a stage."""


@contextmanager
def shown_progress(quiet: bool = False, stream: TextIO | None = None) -> Generator[Progress]:
    """A `Progress` that is drawn on `stream` (stderr) while the context lasts."""
    target = sys.stderr if stream is None else stream
    if quiet:
        yield silent
    elif target.isatty():
        with _bars(target) as progress:
            yield progress
    else:
        yield _lines(target)


@contextmanager
def _bars(stream: TextIO) -> Generator[Progress]:
    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=Console(file=stream), transient=False) as bars:
        tasks: dict[str, object] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total or None)
            bars.update(tasks[stage], completed=done, total=total or None)  # pyright: ignore[reportArgumentType]

        yield progress


def _lines(stream: TextIO) -> Progress:
    last: dict[str, float] = {}

    def progress(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage not in last or done == total or now - last[stage] >= _LINE_EVERY:
            last[stage] = now
            print(f"{stage}: {done}/{total}" if total else f"{stage}: {done}", file=stream, flush=True)

    return progress
