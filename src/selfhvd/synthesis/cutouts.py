"""Cut-outs: what stands before a background, as opacity masks: poles, railings, trunks, bushes, walls, people."""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float

Mask = Float[np.ndarray, "h w"]
"""Opacity, 0 to 1."""
_SOFT = 0.7
"""Pixels of a Gaussian: no lens draws a sharper edge."""


def cutout(rng: np.random.Generator, height: int, width: int) -> Mask:
    """Something that stands in a view of `width` x `height` pixels, on a mask of that size, drawn."""
    make = _MAKERS[int(rng.integers(len(_MAKERS)))]
    return cv2.GaussianBlur(make(rng, height, width).astype(np.float32), (0, 0), _SOFT)


def person(rng: np.random.Generator, height: int, width: int) -> Mask:
    """Somebody who stands or walks: head, body, arms, legs."""
    mask = np.zeros((height, width), np.uint8)
    tall = rng.uniform(0.5, 0.95) * height
    x, top = rng.uniform(0.35, 0.65) * width, height - tall
    stride, swing = rng.uniform(0.02, 0.16, size=2) * tall
    hip, neck = (x, top + 0.52 * tall), (x, top + 0.17 * tall)
    _limb(mask, (x, top + 0.08 * tall), (x, top + 0.1 * tall), 0.14 * tall)
    _limb(mask, neck, hip, rng.uniform(0.16, 0.26) * tall)
    for side in (-1, 1):
        _limb(mask, hip, (x + side * stride, height + 2), 0.09 * tall)
        _limb(mask, (x + side * 0.07 * tall, top + 0.22 * tall), (x + side * swing, top + 0.52 * tall), 0.06 * tall)
    return cv2.GaussianBlur((mask / 255).astype(np.float32), (0, 0), _SOFT)


def _limb(mask: np.ndarray, start: tuple[float, float], end: tuple[float, float], thick: float) -> None:
    places = [(round(x), round(y)) for x, y in (start, end)]
    cv2.line(mask, places[0], places[1], 255, max(1, round(thick)), cv2.LINE_AA)


def _poles(rng: np.random.Generator, height: int, width: int) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        x, lean = rng.uniform(0, width), rng.uniform(-0.05, 0.05) * height
        _limb(
            mask,
            (x, -2 if rng.random() < 0.6 else rng.uniform(0.1, 0.5) * height),
            (x + lean, height + 2),
            _thick(rng, width),
        )
    return mask / 255


def _railing(rng: np.random.Generator, height: int, width: int) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    top, thick = rng.uniform(0.3, 0.7) * height, 0.5 * _thick(rng, width)
    for y in (top, rng.uniform(0.8, 0.95) * height):
        _limb(mask, (-2, y), (width + 2, y + rng.uniform(-0.1, 0.1) * height), 1.4 * thick)
    for x in np.arange(rng.uniform(0, 20), width, rng.uniform(3, 9) * max(2.0, thick)):
        _limb(mask, (x, top), (x, height + 2), thick)
    return mask / 255


def _bush(rng: np.random.Generator, height: int, width: int) -> Mask:
    """Leaves: noise of two sizes, denser towards one border of the view."""
    coarse, fine = (_noise(rng, height, width, size) for size in (rng.uniform(8, 30), rng.uniform(1.5, 4)))
    y, x = np.mgrid[0:height, 0:width]
    away = [y / height, x / width, 1 - x / width][int(rng.integers(3))]
    dense = (away - rng.uniform(0.4, 0.75)) * 6
    return np.clip(2.5 * (dense + 0.9 * coarse + 0.6 * fine), 0, 1)


def _wall(rng: np.random.Generator, height: int, width: int) -> Mask:
    """Something large with a straight edge."""
    angle, y = rng.uniform(-0.5, 0.5) + (np.pi if rng.random() < 0.5 else 0), np.mgrid[0:height, 0:width]
    across = (y[1] - width / 2) * np.cos(angle) + (y[0] - height / 2) * np.sin(angle)
    return np.clip(across - rng.uniform(0.05, 0.4) * width, 0, 1)


def _noise(rng: np.random.Generator, height: int, width: int, size: float) -> Mask:
    grain = cv2.GaussianBlur(rng.standard_normal((height, width), dtype=np.float32), (0, 0), size)
    return grain / (grain.std() + 1e-9)


def _thick(rng: np.random.Generator, width: int) -> float:
    """Pixels."""
    return float(np.exp(rng.uniform(np.log(0.004), np.log(0.06)))) * width


_MAKERS: tuple[Callable[[np.random.Generator, int, int], Mask], ...] = (
    _poles,
    _poles,
    _railing,
    _bush,
    _bush,
    _wall,
    person,
)
