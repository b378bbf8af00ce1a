"""Motion photos: a photo with a short video inside, behind the JPEG (Google, Samsung and others) or in a HEIC's box.

Makers mark the place in different ways (XMP in several versions, a trailer of Samsung's own). The video is an MP4 as it
stands, so it is looked for itself: the first `ftyp` box from which whole boxes lead to an index with a track of
pictures.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from selfhvd.video.read.boxes import boxes, has_video_track

JPEG = b"\xff\xd8\xff"
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1", b"avif", b"avis"}
_OF_A_VIDEO = {
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"uuid", b"udta", b"meta", b"moof", b"mfra", b"sidx", b"styp",
}  # fmt: skip
_BLOCK = 1 << 20
_FARTHEST = 1 << 29
"""Bytes of a photo in which its video must begin."""
_TRIES = 32
"""Places that look like the beginning of a video before the search is given up."""


class Span(NamedTuple):
    """A part of a file, in bytes."""

    start: int
    end: int


def embedded_video(path: Path) -> Span | None:
    """Where in a photo its video lies; None for what is no photo, or holds none. `OSError` if it cannot be read."""
    with path.open("rb") as file:
        head = file.read(64)
        size = path.stat().st_size
        if not (head.startswith(JPEG) or (is_heif(head) and not has_video_track(file, 0, size))):
            return None
        found = (_video(file, place, size) for place in _places(file, b"ftyp"))
        return next(filter(None, found), None)


def is_heif(head: bytes) -> bool:
    """Whether the first bytes of a file say that it holds pictures as HEIF or AVIF: stills, or a sequence."""
    if head[4:8] != b"ftyp":
        return False
    length = int.from_bytes(head[:4], "big")
    brands = {head[8:12], *(head[place : place + 4] for place in range(16, min(length, len(head)), 4))}
    return bool(brands & _HEIF)


def copy_video(source: Path, target: Path) -> None:
    """Copy a video file as it is; of a motion photo the video in it."""
    span = embedded_video(source)
    if span is None:
        shutil.copyfile(source, target)
        return
    with source.open("rb") as inside, target.open("wb") as out:
        for start in range(span.start, span.end, _BLOCK):
            inside.seek(start)
            out.write(inside.read(min(_BLOCK, span.end - start)))


def _places(file: BinaryIO, kind: bytes) -> Iterator[int]:
    """Offsets at which a box of this kind may begin, a limited number of them."""
    tries, offset, tail = 0, 0, b""
    while offset < _FARTHEST and tries < _TRIES:
        file.seek(offset)
        block = file.read(_BLOCK)
        if not block:
            return
        window = tail + block
        place = window.find(kind, 4)
        while place >= 0 and tries < _TRIES:
            if 16 <= int.from_bytes(window[place - 4 : place], "big") <= 1024:
                tries += 1
                yield offset - len(tail) + place - 4
            place = window.find(kind, place + 1)
        offset += len(block)
        tail = window[-7:]


def _video(file: BinaryIO, start: int, size: int) -> Span | None:
    """The video that begins here, up to the last box that belongs to one; None if it has no whole index."""
    end, indexed = start, False
    for box in boxes(file, start, size):
        if box.kind not in _OF_A_VIDEO or (box.kind == b"ftyp" and end > start):
            break
        indexed = indexed or (box.kind == b"moov" and box.end <= size)
        end = min(box.end, size)
    return Span(start, end) if indexed and has_video_track(file, start, end) else None
