"""How much room a disk has, and how bytes are told."""

import shutil
from pathlib import Path

from selfhvd.errors import OutputError


def free_in(folder: Path) -> int:
    """Bytes free in a folder, which need not exist yet."""
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        return shutil.disk_usage(there).free
    except OSError as error:
        raise OutputError(f"{there} cannot be looked at ({error.strerror}); choose another folder.") from error


def filled(folder: Path) -> int:
    """Bytes of the files in a folder, 0 where there is none."""
    try:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError:
        return 0


def in_bytes(count: int) -> str:
    """A number of bytes in words: "640 MB", "3.2 GB"; units of 1000."""
    if count < 10_000_000:
        return f"{count / 1e6:.1f} MB"
    return f"{count / 1e6:.0f} MB" if count < 1_000_000_000 else f"{count / 1e9:.1f} GB"
