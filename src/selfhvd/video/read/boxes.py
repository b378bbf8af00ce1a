"""The boxes of MP4, QuickTime and HEIF files: lengths and names, read with care, for nothing in them is trusted."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_MOST = 10_000
"""Boxes that are looked at one after the other."""
_MOVING = (b"vide", b"pict")
"""Handlers of tracks that hold pictures; "pict" are those of AVIF and HEIF sequences."""


class Box(NamedTuple):
    """One box; `end` is where it says it ends, which may be beyond the file."""

    kind: bytes
    body: int
    """Offset of its content, bytes."""
    end: int


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes from offset `start` on, up to the first that makes no sense, or to `end`."""
    for _ in range(_MOST):
        if end - start < 8:
            return
        file.seek(start)
        head = file.read(16)
        length, kind, body = int.from_bytes(head[:4], "big"), head[4:8], start + 8
        if length == 1:
            length, body = int.from_bytes(head[8:], "big"), start + 16
        elif length == 0:  # to the end
            length = end - start
        if start + length < body or not all(32 <= byte < 127 or byte == 0xA9 for byte in kind):
            return
        yield Box(kind, body, start + length)
        start += length


def has_video_track(file: BinaryIO, start: int, end: int) -> bool:
    """Whether there is an index (`moov`) with a track of pictures between two offsets."""
    for handler in _within(file, start, end, b"moov", b"trak", b"mdia", b"hdlr"):
        file.seek(handler.body + 8)
        if file.read(4) in _MOVING:
            return True
    return False


def _within(file: BinaryIO, start: int, end: int, *path: bytes) -> Iterator[Box]:
    """The boxes under a path of names."""
    kind, *deeper = path
    for box in boxes(file, start, end):
        if box.kind == kind and deeper:
            yield from _within(file, box.body, min(box.end, end), *deeper)
        elif box.kind == kind:
            yield box
