"""Progress: a bar with a moving ETA on a terminal, a plain line now and then elsewhere, or JSON for programs."""

import json
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from selfhvd.system.progress import Progress, silent

Style = Literal["auto", "lines", "json", "none"]
"""auto: bars on a terminal, else lines."""
_LINE_EVERY = 15.0
"""Seconds between plain lines within a stage."""
_JSON_EVERY = 0.2
"""Seconds between JSON lines within a stage."""


@contextmanager
def shown_progress(
    quiet: bool = False,
    stream: TextIO | None = None,
    style: Style = "auto",
    facts: dict[str, object] | None = None,
) -> Generator[Progress]:
    """A `Progress` that is shown on `stream` (stderr) while the context lasts; `facts` go into each JSON line."""
    target = sys.stderr if stream is None else stream
    if quiet or style == "none":
        yield silent
    elif style == "json":
        yield _json_lines(target, facts or {})
    elif style == "auto" and target.isatty():
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


def _json_lines(stream: TextIO, facts: dict[str, object]) -> Progress:
    """`{"stage", "done", "total", "seconds", "eta_s"}`, null where it is not known."""
    first: dict[str, tuple[float, int]] = {}
    last: dict[str, float] = {}

    def progress(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage in last and done != total and now - last[stage] < _JSON_EVERY:
            return
        last[stage] = now
        began, before = first.setdefault(stage, (now, done))
        spent = now - began
        eta = round(spent * (total - done) / (done - before), 1) if total and done > before else None
        line = {"stage": stage, "done": done, "total": total or None, "seconds": round(spent, 1), "eta_s": eta}
        stream.write(json.dumps({**facts, **line}) + "\n")
        stream.flush()

    return progress
