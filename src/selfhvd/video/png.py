"""PNG files: lossless, written fast, with plain errors for a full disk."""

import zlib
from pathlib import Path

import cv2
import numpy as np

from selfhvd.errors import OutputError
from selfhvd.video.frame import Frame

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]


def write_png(path: Path, image: Frame) -> None:
    """Write RGB `image` (uint8 or uint16, `height width 3`) to `path`."""
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), _FAST)
    if not done:
        raise OutputError(f"{path} cannot be written as PNG.")
    try:
        path.write_bytes(np.asarray(data).tobytes())
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); make room and try again.") from error


def read_png(path: Path) -> Frame | None:
    """What `write_png` wrote; None if it cannot be read as that. The name may be any that the system takes."""
    try:
        data = np.fromfile(path, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except (OSError, cv2.error):
        return None
    colours = image is not None and image.ndim == 3 and image.shape[2] == 3
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if image is not None and colours else None


def is_whole_png(path: Path) -> bool:
    """Whether every chunk of a PNG file is there, with the checksum that it was written with."""
    try:
        data = memoryview(path.read_bytes())
    except OSError:
        return False
    place = len(_SIGNATURE)
    if bytes(data[:place]) != _SIGNATURE:
        return False
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        if end > len(data) or zlib.crc32(data[place + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return False
        if bytes(data[place + 4 : place + 8]) == b"IEND":
            return end == len(data)
        place = end
    return False
