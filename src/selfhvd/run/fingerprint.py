"""Fingerprint: by which a clip is known again, whatever it is called and whenever it was copied."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from selfhvd.errors import InputError

_BLOCK = 1 << 20
_BLOCKS = 16
"""Blocks of a large file that are read, evenly spread, the first and the last among them."""


def fingerprint(source: Path) -> str:
    """Of a file's size and content, or of those in a folder; of a large file a few blocks stand for all.

    Raises:
        InputError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for path in _files(source):
            size = path.stat().st_size
            digest.update(f"{path.name if path != source else ''} {size} ".encode(errors="surrogateescape"))
            with path.open("rb") as file:
                for start in _starts(size):
                    file.seek(start)
                    digest.update(file.read(_BLOCK))
    except OSError as error:
        raise InputError(f"{source} cannot be read ({error.strerror}).") from error
    return digest.hexdigest()


def _files(source: Path) -> list[Path]:
    return sorted(path for path in source.iterdir() if path.is_file()) if source.is_dir() else [source]


def _starts(size: int) -> Iterator[int]:
    if size <= _BLOCKS * _BLOCK:
        yield from range(0, size, _BLOCK)
    else:
        yield from (n * (size - _BLOCK) // (_BLOCKS - 1) for n in range(_BLOCKS))
