"""A lock between processes: a file that the system keeps locked for as long as its holder lives."""

import contextlib
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import IO

from selfhvd.errors import OutputError, SelfHVDError

if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    _share = _take
else:
    import fcntl

    def _take(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _share(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


_EVERY = 0.2
"""Seconds between two tries."""


@contextlib.contextmanager
def locked(
    path: Path, busy: SelfHVDError, patience: float = 0.0, on_wait: Callable[[], None] = lambda: None
) -> Generator[IO[bytes]]:
    """Hold the lock file `path`; it is set free when its holder ends, however it ends.

    A child that is given the file that comes holds it, too.

    Args:
        path: the lock file; it stays.
        busy: raised if another holder does not finish in time.
        patience: seconds to wait for another holder.
        on_wait: told once, when there is another.

    Raises:
        SelfHVDError: `busy`; or as OutputError: the file cannot be made.
    """
    try:
        file = path.open("a+b")
    except OSError as error:
        raise OutputError(f"{path.parent} cannot be written ({error.strerror}); choose another place.") from error
    with file:
        _wait(file, busy, patience, on_wait)
        yield file


def _wait(file: IO[bytes], busy: SelfHVDError, patience: float, on_wait: Callable[[], None]) -> None:
    deadline = time.monotonic() + patience
    told = False
    while True:
        with contextlib.suppress(OSError):
            _take(file)
            return
        if not told:
            on_wait()
            told = True
        if time.monotonic() > deadline:
            raise busy
        time.sleep(_EVERY)


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock file `path`; any number may ask at the same time."""
    try:
        file = path.open("rb")
    except OSError:
        return False
    with file:
        try:
            _share(file)
        except OSError:
            return True
    return False
