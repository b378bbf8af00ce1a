"""Slots: so many runs at a time, however many servers come and go. A slot is a lock that a runner holds."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from selfhvd.errors import OutputError
from selfhvd.system.lock import is_locked, locked

_BUSY = OutputError("Every place to run in is taken.")


@contextmanager
def taking_a_slot(folder: Path, kind: str, count: int) -> Generator[IO[bytes] | None]:
    """Hold one of `count` slots of a kind; None where all are taken."""
    for number in range(count):
        taken = locked(_path(folder, kind, number), _BUSY)
        try:
            file = taken.__enter__()
        except OutputError:
            continue
        try:
            yield file
        finally:
            taken.__exit__(None, None, None)
        return
    yield None


def free_slots(folder: Path, kind: str, count: int) -> int:
    """How many of `count` slots nobody holds."""
    return sum(not is_locked(_path(folder, kind, number)) for number in range(count))


def _path(folder: Path, kind: str, number: int) -> Path:
    folder.mkdir(exist_ok=True)
    return folder / f"{kind}-{number}"
