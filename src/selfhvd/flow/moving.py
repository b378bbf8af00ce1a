"""Where does anything move on its own between two images that a camera's motion has brought together? Ours.

One least-squares step (Lucas and Kanade) for the pixels around each tells about how far they have moved: not as well as
a flow, but enough to search for one only where there is something to find.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float

Grey = Float[np.ndarray, "height width"]
"""In [0, 1]."""
Part = tuple[slice, slice]
"""Rows and columns of an image."""

AROUND = 21
"""Pixels a side, over which a motion is taken for one."""
SMALLEST = 13
"""Pixels a side of the smallest place that counts: single ones are noise, and what is smaller the masks take out."""
MARGIN = 32
"""Pixels beyond, in which the flow may find where a thing came from."""
NOISE = 1.0 / 255
"""Slope, of [0, 1] a pixel, that is as good as none."""
BORDER = 3
"""Pixels beside what is not shown, where slopes are wrong."""


def moving_part(first: Grey, second: Grey, shown: Bool[np.ndarray, "height width"], least: float) -> Part | None:
    """The smallest part of the image with all that has moved by `least` pixels or more; None where nothing has.

    `shown`: where `second` shows anything.
    """
    moved = _moved(first, second, shown, least)
    rows, columns = (np.flatnonzero(moved.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return tuple(  # pyright: ignore[reportReturnType] - two
        slice(max(0, int(line[0]) - MARGIN), min(side, int(line[-1]) + 1 + MARGIN))
        for line, side in zip((rows, columns), moved.shape, strict=True)
    )


def _moved(
    first: Grey, second: Grey, shown: Bool[np.ndarray, "height width"], least: float
) -> Bool[np.ndarray, "height width"]:
    before, after = (cv2.blur(image, (3, 3)) for image in (first, second))
    mean = 0.5 * (before + after)
    inside = cv2.erode(np.pad(shown.astype(np.float32), 1), np.ones((2 * BORDER + 1,) * 2))[1:-1, 1:-1]
    x, y = (inside * cv2.Sobel(mean, cv2.CV_32F, *axis, ksize=3, scale=1 / 8) for axis in ((1, 0), (0, 1)))
    apart = inside * (before - after)
    xx, xy, yy, xd, yd = (_mean(product) for product in (x * x, x * y, y * y, x * apart, y * apart))
    xx, yy = xx + NOISE**2, yy + NOISE**2
    along, down, scale = yy * xd - xy * yd, xx * yd - xy * xd, xx * yy - xy * xy
    moved = along * along + down * down > (least * scale) ** 2
    return cv2.morphologyEx(moved.astype(np.uint8), cv2.MORPH_OPEN, np.ones((SMALLEST,) * 2, np.uint8)) > 0


def _mean(values: Grey) -> Grey:
    return cv2.blur(values, (AROUND, AROUND))
