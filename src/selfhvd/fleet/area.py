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
        if _taken(area, number) + size > quota:
            raise Busy("the work area is full")
        note.write_text(str(size))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def _taken(area: Path, number: int) -> int:
    """Bytes that others reserved; what killed processes left is cleared away."""
    total = 0
    for note in area.glob("*.room"):
        other = int(note.stem)
        if other == number:
            continue
        if _is_held(area, other):
            with suppress(OSError, ValueError):
                total += int(note.read_text())
        else:
            remove(note)
            remove(folder_of(area, other))
    return total


def _is_held(area: Path, number: int) -> bool:
    lock = _lock(area, number)
    if not lock.exists():
        return False
    try:
        with locked(lock, Busy()):
            return False
    except Busy:
        return True


def clear(area: Path) -> None:
    """Take the whole area away: nobody works there any more."""
    shutil.rmtree(area, ignore_errors=True)


def _lock(area: Path, number: int) -> Path:
    return area / f"{number:08d}.lock"


def _note(area: Path, number: int) -> Path:
    return area / f"{number:08d}.room"
