"""Still images, known by their content, and animations in the formats of images."""

import io
from pathlib import Path
from typing import BinaryIO

from selfhvd.video.read.boxes import has_video_track
from selfhvd.video.read.motion_photo import JPEG, embedded_video, is_heif

_HEAD = 64
"""Bytes that a caller needs to hand over."""
_PNG = b"\x89PNG\r\n\x1a\n"
_KINDS = {
    JPEG: "a JPEG",
    b"8BPS": "a Photoshop picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cJXL \r\n": "a JPEG XL picture",
    b"\xff\x4f\xff\x51": "a JPEG 2000 picture",
    b"\0\0\0\x0cjP  \r\n": "a JPEG 2000 picture",
    b"II*\0": "a TIFF or camera raw picture",
    b"MM\0*": "a TIFF or camera raw picture",
    b"II+\0": "a TIFF picture",
    b"MM\0+": "a TIFF picture",
    b"IIU\0": "a camera raw picture",
    b"IIRO": "a camera raw picture",
    b"IIRS": "a camera raw picture",
    b"MMOR": "a camera raw picture",
    b"FUJIFILMCCD-RAW": "a camera raw picture",
    b"FOVb": "a camera raw picture",
    b"II\x1a\0\0\0HEAPCCDR": "a camera raw picture",
}
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
"""Lengths that the second header of a BMP may have, bytes."""
_CHUNKS = 10_000
"""Parts of a file that are looked at one after the other."""


def still(path: Path) -> str:
    """What kind of still image a file is, as "a JPEG"; "" for all else, a motion photo or an animation among it.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        kind = _kind(file, head, path.stat().st_size)
    return "" if kind and embedded_video(path) is not None else kind


def is_animation(path: Path) -> bool:
    """Whether a file is an animated GIF, PNG or WebP. `OSError` if it cannot be read."""
    with path.open("rb") as file:
        return _moves(file, file.read(_HEAD)) is True


def is_animated_webp(path: Path) -> bool:
    """Whether a file is an animated WebP. `OSError` if it cannot be read."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return _webp_moves(head) is True


def _kind(file: BinaryIO, head: bytes, size: int) -> str:
    """The kind of still image that begins with `head`."""
    if _moves(file, head) is False:
        return {b"\x89PNG": "a PNG", b"GIF8": "a GIF of one picture"}.get(head[:4], "a WebP picture")
    if head[4:12] == b"ftypcrx ":
        return "a camera raw picture"
    if is_heif(head):
        what = "an AVIF" if head[8:11] == b"avi" else "a HEIC"
        return "" if has_video_track(file, 0, size) else what
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "a BMP"
    if head.startswith(b"\0\0\1\0") and 0 < head[4] < 64 and head[5:6] == b"\0" and head[9:10] == b"\0":
        return "an icon"
    found = next((kind for magic, kind in _KINDS.items() if head.startswith(magic)), "")
    return "" if found and has_video_track(file, 0, size) else found


def _moves(file: BinaryIO, head: bytes) -> bool | None:
    """Whether a GIF, PNG or WebP has several pictures; None for what is none of them."""
    if head.startswith(_PNG):
        return _png_moves(file)
    if head.startswith((b"GIF87a", b"GIF89a")):
        return _gif_moves(file, head)
    return _webp_moves(head)


def _webp_moves(head: bytes) -> bool | None:
    """An animation says so in its first chunk."""
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    return head[12:16] == b"VP8X" and bool(head[20] & 2) if len(head) > 20 else False


def _png_moves(file: BinaryIO) -> bool:
    """The number of frames stands before the first picture."""
    file.seek(len(_PNG))
    for _ in range(_CHUNKS):
        head = file.read(12)
        if len(head) < 12 or head[4:8] in (b"IDAT", b"IEND"):
            return False
        if head[4:8] == b"acTL":
            return int.from_bytes(head[8:12], "big") > 1
        file.seek(int.from_bytes(head[:4], "big"), io.SEEK_CUR)
    return False


def _gif_moves(file: BinaryIO, head: bytes) -> bool:
    """A second picture after the first."""
    file.seek(13 + _colours(head[10] if len(head) > 10 else 0))
    pictures = 0
    for _ in range(_CHUNKS):
        block = file.read(1)
        if block == b",":
            pictures += 1
            if pictures == 2:
                return True
            table = file.read(9)[8:]
            file.seek(_colours(table[0] if table else 0) + 1, io.SEEK_CUR)
        elif block == b"!":
            file.seek(1, io.SEEK_CUR)
        else:
            return False
        while (length := file.read(1)) not in (b"", b"\0"):
            file.seek(length[0], io.SEEK_CUR)
    return False


def _colours(flags: int) -> int:
    """Bytes of a GIF's colour table."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
