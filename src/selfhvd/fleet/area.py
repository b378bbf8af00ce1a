"""Work area: where a machine works on the clips of a fleet; each clip held by one process, all within a quota."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from selfhvd.errors import OutputError, SelfHVDError
from selfhvd.system.atomic import remove
from selfhvd.system.disk import in_bytes
from selfhvd.system.lock import locked

_PATIENCE = 20.0
"""Seconds to wait for a process that was killed, and is not gone yet."""


class Busy(SelfHVDError):  # noqa: N818 - nothing went wrong
    """Somebody else is at the clip, or there is no room for it now."""


def folder_of(area: Path, number: int) -> Path:
    """What is fetched and made for a clip, where it is not made beside its result."""
    return area / f"{number:08d}"


@contextmanager
def held(area: Path, number: int) -> Generator[None]:
    """A clip of the area for this process alone.

    Raises:
        Busy: another has it.
        OutputError: the area cannot be made.
    """
    try:
        area.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{area} cannot be made ({error.strerror}); choose another --work folder.") from error
    lock = _lock(area, number)
    with locked(lock, Busy(f"clip {number} is at work elsewhere"), patience=_PATIENCE):
        yield
        lock.unlink(missing_ok=True)  # the result is there: whoever waited for the lock finds that


@contextmanager
def reserved(area: Path, number: int, size: int, quota: int | None) -> Generator[None]:
    """Room of so many bytes within the quota, for the time of the context; call it with the clip `held`.

    Raises:
        Busy: there is none now.
        OutputError: there never will be.
    """
    if quota is None:
        yield
        return
    if size > quota:
        raise OutputError(f"The clip needs about {in_bytes(size)} to work in, --work-quota is {in_bytes(quota)}.")
    note = _note(area, number)
    with locked(area / "quota.lock", Busy("the work area is being counted"), patience=_PATIENCE):
        others = {other: taken for other, taken in _notes(area).items() if other != number}
        if not _has_room(area, others, quota - size):
            raise Busy("the work area is full")
        note.write_text(str(size))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def _notes(area: Path) -> dict[int, int]:
    """Bytes that each clip reserved, those of killed processes among them: they are to be gone on with."""
    notes: dict[int, int] = {}
    for note in area.glob("*.room"):
        with suppress(OSError, ValueError):
            notes[int(note.stem)] = int(note.read_text())
    return notes


def _has_room(area: Path, others: dict[int, int], most: int) -> bool:
    """Whether others take no more than that; only where they do, what killed processes left is cleared away."""
    taken = sum(others.values())
    for number, size in others.items():
        if taken > most and _is_cleared(area, number):
            taken -= size
    return taken <= most


def _is_cleared(area: Path, number: int) -> bool:
    """Clear away what a killed process left; False where one is at it."""
    lock = _lock(area, number)
    try:
        with locked(lock, Busy()):
            remove(_note(area, number))
            remove(folder_of(area, number))
            lock.unlink(missing_ok=True)
            return True
    except Busy:
        return False


def clear(area: Path) -> None:
    """Take the whole area away: nobody works there any more."""
    shutil.rmtree(area, ignore_errors=True)


def _lock(area: Path, number: int) -> Path:
    return area / f"{number:08d}.lock"


def _note(area: Path, number: int) -> Path:
    return area / f"{number:08d}.room"
