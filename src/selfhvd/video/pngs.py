"""PNG files: lossless, written fast, with plain errors for a full disk."""

from pathlib import Path

import cv2
import numpy as np

from selfhvd.errors import OutputError
from selfhvd.video.footage import Frame

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
