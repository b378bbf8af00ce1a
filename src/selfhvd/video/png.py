"""PNG files: lossless, written fast, with plain errors for a full disk."""

from pathlib import Path

import cv2
import numpy as np

from selfhvd.errors import OutputError
from selfhvd.video.frame import Frame

_FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]


def write_png(path: Path, image: Frame) -> None:
    """Write RGB `image` (uint8 or uint16, `height width 3`) to `path`."""
    data = packed_png(image)
    if data is None:
        raise OutputError(f"{path} cannot be written as PNG.")
    try:
        path.write_bytes(data)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); make room and try again.") from error


def packed_png(image: Frame) -> bytes | None:
    """The bytes of the file; None where the picture is beyond the format."""
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), _FAST)
    return np.asarray(data).tobytes() if done else None


def read_png(path: Path) -> Frame | None:
    """What `write_png` wrote; None if it cannot be read as that. The name may be any that the system takes."""
    try:
        data = np.fromfile(path, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except (OSError, cv2.error):
        return None
    colours = image is not None and image.ndim == 3 and image.shape[2] == 3
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if image is not None and colours else None
