"""Write a file, or a folder, whole or not at all."""

import os
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from selfhvd.errors import OutputError


@contextmanager
def replacing(path: Path, *, owned: bool = False, fsync: bool = False) -> Generator[Path]:
    """A hidden neighbour of `path` to make a file or a folder at, which takes its name when the context ends well.

    Otherwise it goes, and what was at `path` is still there; no reader ever sees half of it. Faults come as they are:
    `OSError` is for the caller to put in words.

    Args:
        path: what is made.
        owned: the folder is this process's alone, so that the part needs no number of a process in its name, and what
            a killed run left of it is written over.
        fsync: have the file on the disk before it gets its name: it then says that others are complete.
    """
    part = part_path(path, owned=owned)
    remove(part)
    try:
        yield part
        if fsync:
            with part.open("r+b") as file:
                os.fsync(file.fileno())
        put(part, path)
    finally:
        remove(part)


def write_aside(path: Path, data: bytes, *, fsync: bool = False) -> None:
    """Write a file by `replacing`; `OutputError` where that fails."""
    try:
        with replacing(path, fsync=fsync) as part:
            part.write_bytes(data)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path} cannot be written ({reason}); choose another place or make room.") from error


def put(part: Path, path: Path) -> None:
    """Give `part` its name; an old folder makes way first, and comes back if that fails."""
    if not (part.is_dir() and path.is_dir()):
        os.replace(part, path)
        return
    old = part.with_suffix(".old")
    os.replace(path, old)
    try:
        os.replace(part, path)
    except OSError:
        if not path.exists():
            os.replace(old, path)
        raise
    remove(old)


def remove(path: Path) -> None:
    """Take away a file or a folder, if it is there and lets itself be taken away."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def part_path(destination: Path, *, owned: bool = False) -> Path:
    """The hidden neighbour that a result grows in; short enough for any name the destination may have."""
    name = os.fsencode(destination.name)[:180].decode(sys.getfilesystemencoding(), errors="ignore")
    return destination.absolute().with_name(f".{name}.part" if owned else f".{name}.{os.getpid()}.part")
