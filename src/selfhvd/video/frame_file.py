"""Frame files: one frame of a work folder each, lossless; smaller than PNG, written and read about five times as fast.

A row is kept as what it adds to the row above it, its red and blue as what they add to its green, all modulo 256 or
65536. Those numbers are mostly small, and Zstandard codes them. The file holds, little-endian: the head (`_HEAD`), the
length of each strip of rows (uint32), the strips, and a CRC-32 of all before it.
"""

import shutil
import struct
import zlib
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import zstandard
from jaxtyping import UInt8

from selfhvd.errors import OutputError
from selfhvd.system.atomic import remove
from selfhvd.video.frame import Frame

SUFFIX = ".frame"
"""What the names of frame files end with."""

_MARK = b"selfhvd\x01"
_HEAD = struct.Struct("<8sBII")
"""The mark, bytes of a value (1 or 2), height and width."""
_CHECK = struct.Struct("<I")
_STRIP = 1 << 19
"""Bytes of a strip before it is coded: it stays in a core's own cache."""
_CODING = zstandard.ZstdCompressionParameters.from_level(1, hash_log=6, min_match=7)
"""What is left of a frame hardly repeats, so that little is looked for (docs/ablations.md#frame_file)."""


def write_frame(path: Path, image: Frame) -> None:
    """Write RGB `image` (uint8 or uint16, `height width 3`) to `path`.

    Raises:
        OutputError: there is no room for it, or it cannot be written for another reason.
    """
    try:
        path.write_bytes(packed(image))
    except OSError as error:
        raise _unwritten(path, error) from error


def read_frame(path: Path) -> Frame | None:
    """What `write_frame` wrote; None if there is no such file or it is damaged."""
    data = _whole(path)
    return None if data is None else _unpacked(data)


def is_whole_frame(path: Path) -> bool:
    """Whether a frame file is there, with every byte as it was written, by its checksum; nothing is decoded."""
    return _whole(path) is not None


def link_frame(path: Path, other: Path) -> None:
    """Give the frame file `path` the name `other` too: no byte is stored twice where the disk knows hard links.

    Frame files are replaced, never changed, so that neither name sees what becomes of the other.

    Raises:
        OutputError: there is no room for the copy that is made elsewhere.
    """
    try:
        remove(other)
        other.hardlink_to(path)
    except OSError:
        _copy(path, other)


def packed(image: Frame) -> bytes:
    """The bytes of the file."""
    press = zstandard.ZstdCompressor(compression_params=_CODING)
    height, width, _ = image.shape
    strips = [press.compress(_left_over(image, rows).data) for rows in _strips(height, width, image.itemsize)]
    lengths = np.array([len(strip) for strip in strips], "<u4").tobytes()
    data = b"".join([_HEAD.pack(_MARK, image.itemsize, height, width), lengths, *strips])
    return data + _CHECK.pack(zlib.crc32(data))


def _unpacked(data: memoryview) -> Frame:
    """The frame of a whole file."""
    _, size, height, width = _HEAD.unpack_from(data)
    strips = _strips(height, width, size)
    lengths = np.frombuffer(data, "<u4", len(strips), _HEAD.size)
    ends = np.cumsum(lengths, dtype=np.int64) + _HEAD.size + lengths.nbytes
    image = np.empty((height, width, 3), np.uint8 if size == 1 else np.uint16)
    lines, press = list(image), zstandard.ZstdDecompressor()
    for rows, length, end in zip(strips, lengths.tolist(), ends.tolist(), strict=True):
        _put_back(press.decompress(data[end - length : end]), image[rows])
        for above, line in pairwise(lines[max(rows.start - 1, 0) : rows.stop]):
            np.add(line, above, out=line)
    return image


def _strips(height: int, width: int, size: int) -> list[slice]:
    """The rows of each strip."""
    rows = max(1, _STRIP // (3 * width * size))
    return [slice(start, min(start + rows, height)) for start in range(0, height, rows)]


def _left_over(image: Frame, rows: slice) -> UInt8[np.ndarray, "*shape"]:
    """What the rows add to those above them, colour by colour; of 16 bits the high bytes, then the low ones."""
    strip, second = image[rows].copy(), max(rows.start, 1)
    strip[second - rows.start :] -= image[second - 1 : rows.stop - 1]
    red, green, blue = cv2.split(strip)
    red -= green
    blue -= green
    planes = np.stack([red, green, blue])
    if planes.dtype == np.uint8:
        return planes
    halves = planes.astype("<u2", copy=False).view(np.uint8)
    return np.stack([halves[..., 1::2], halves[..., ::2]])


def _put_back(data: bytes, strip: Frame) -> None:
    """Undo `_left_over`, but for the rows above, into `strip`."""
    values = np.frombuffer(data, np.uint8)
    if strip.dtype == np.uint16:
        high, low = values.reshape(2, -1).astype(np.uint16)
        values = high << 8 | low
    red, green, blue = values.reshape(3, *strip.shape[:2])
    cv2.merge([red + green, green, blue + green], dst=strip)


def _whole(path: Path) -> memoryview | None:
    """The file without its checksum; None unless that fits."""
    try:
        data = memoryview(path.read_bytes())
    except OSError:
        return None
    if len(data) < _HEAD.size + _CHECK.size or bytes(data[: len(_MARK)]) != _MARK:
        return None
    body, check = data[: -_CHECK.size], data[-_CHECK.size :]
    return body if _CHECK.unpack(check) == (zlib.crc32(body),) else None


def _copy(path: Path, other: Path) -> None:
    try:
        shutil.copyfile(path, other)
    except OSError as error:
        raise _unwritten(other, error) from error


def _unwritten(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path} cannot be written ({error.strerror}); make room and try again.")
