"""Outlines of what stands between a camera and what is behind: opacity in [0, 1], soft for about a pixel."""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float

Outline = Float[np.ndarray, "h w"]
_SOFT = 0.6
"""Pixels: standard deviation of an edge."""


def pole(rng: np.random.Generator, height: int, width: int) -> Outline:
    """One or two posts from below to above the view."""
    mask = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        middle, half = rng.uniform(0.25, 0.75) * width, rng.uniform(0.01, 0.035) * width
        mask[:, int(middle - half) : int(middle + half) + 1] = 1
    return _softened(mask)


def trunk(rng: np.random.Generator, height: int, width: int) -> Outline:
    """A stem that bends a little, with uneven bark."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    middle = width * (rng.uniform(0.35, 0.65) + 0.03 * np.sin(y / height * rng.uniform(2, 6) + rng.uniform(0, 6)))
    half = width * rng.uniform(0.04, 0.09) * (1 + 0.15 * _noise(rng, height, 1, 12.0))
    return _softened((np.abs(x - middle) < half).astype(np.float32))


def railing(rng: np.random.Generator, height: int, width: int) -> Outline:
    """Thin bars with a handrail, as wide as the picture."""
    mask = np.zeros((height, width), np.float32)
    gap, bar, top = int(rng.integers(18, 44)), int(rng.integers(2, 6)), int(rng.uniform(0.5, 0.62) * height)
    for left in range(int(rng.integers(0, gap)), width, gap):
        mask[top:, left : left + bar] = 1
    mask[top : top + 2 * bar] = 1
    return _softened(mask)


def bush(rng: np.random.Generator, height: int, width: int) -> Outline:
    """Leaves: noise above a threshold, denser towards the bottom, with holes to look through."""
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    dense = 24 * (y - 0.58) - 5 * (x - rng.uniform(-0.4, 0.4)) ** 2
    leaves = _noise(rng, height, width, 5.0) + _noise(rng, height, width, 22.0)
    return _softened((dense + leaves > 0).astype(np.float32))


def wall(rng: np.random.Generator, height: int, width: int) -> Outline:
    """What hides a part of the view and ends in a straight edge."""
    mask = np.zeros((height, width), np.float32)
    end = int(rng.uniform(0.12, 0.4) * width)
    mask[:, :end] = 1
    return _softened(mask if rng.random() < 0.5 else np.ascontiguousarray(mask[:, ::-1]))


def person(rng: np.random.Generator, height: int, width: int) -> Outline:
    """Head, body, arms and legs, in mid step; 0.8 of the picture high."""
    mask = np.zeros((height, width), np.float32)
    tall, middle, top = 0.8 * height, width / 2, 0.1 * height

    def limb(x0: float, y0: float, x1: float, y1: float, thick: float) -> None:
        start, end = ((round(middle + x * tall), round(top + y * tall)) for x, y in ((x0, y0), (x1, y1)))
        cv2.line(mask, start, end, 1.0, max(2, round(thick * tall)), cv2.LINE_AA)

    stride, swing = rng.uniform(0.03, 0.13), rng.uniform(0.02, 0.12)
    cv2.circle(mask, (round(middle), round(top + 0.07 * tall)), round(0.065 * tall), 1.0, -1, cv2.LINE_AA)
    limb(0.0, 0.22, 0.0, 0.5, 0.17)
    for side in (-1, 1):
        limb(side * 0.04, 0.52, side * stride, 0.97, 0.075)
        limb(side * 0.09, 0.2, side * (0.09 + swing), 0.52, 0.05)
    return _softened(mask)


STANDING: tuple[Callable[[np.random.Generator, int, int], Outline], ...] = (pole, trunk, railing, bush, wall)
"""What does not move."""


def _noise(rng: np.random.Generator, height: int, width: int, size: float) -> Outline:
    """Blobs of `size` pixels, of unit variance."""
    blurred = cv2.GaussianBlur(rng.standard_normal((height, width), dtype=np.float32), (0, 0), size)
    blurred = blurred.reshape(height, width)
    return (blurred / max(float(blurred.std()), 1e-6)).astype(np.float32)


def _softened(mask: Outline) -> Outline:
    return np.clip(cv2.GaussianBlur(mask, (0, 0), _SOFT), 0, 1)
