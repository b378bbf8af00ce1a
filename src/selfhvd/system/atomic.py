"""Write a file whole or not at all."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from selfhvd.errors import OutputError


def write_aside(path: Path, data: bytes) -> None:
    """Write `data` beside `path` under another name, then rename: no reader sees half a file."""
    aside = part_path(path)
    try:
        aside.write_bytes(data)
        os.replace(aside, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path} cannot be written ({reason}); choose another place or make room.") from error
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def part_path(destination: Path) -> Path:
    """The hidden neighbour that a result grows in; short enough for any name the destination may have."""
    name = os.fsencode(destination.name)[:180].decode(sys.getfilesystemencoding(), errors="ignore")
    return destination.absolute().with_name(f".{name}.{os.getpid()}.part")
