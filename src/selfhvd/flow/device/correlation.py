"""Whole-image shifts of many pairs at once, by correlation of spectra: where to begin to look for a homography."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.device.units import Homographies, Units
from selfhvd.ops.area import area_reduced

Image = Float[Tensor, "pair 1 height width"]

_LEAST_SIDE = 16
"""Pixels; images are reduced to no less."""
_LEAST_OVERLAP = 0.3
"""Part of the largest overlap below which a correlation is chance."""


def small(image: Image, part: int) -> Float[Tensor, "pair 1 h w"]:
    """At one `part`-th of the size, but 16 pixels at least."""
    return area_reduced(image, *(max(_LEAST_SIDE, side // part) for side in image.shape[-2:]))


def shifts(first: Image, second: Image) -> Homographies:
    """The best whole-image translations (units), by phase correlation (Kuglin and Hines 1975) at a quarter the size."""
    one, other = small(first, 4)[:, 0], small(second, 4)[:, 0]
    height, width = one.shape[-2:]
    window = _hann(height, one)[:, None] * _hann(width, one)
    a, b = (torch.fft.rfft2(image * window) for image in (one, other))
    cross = a.conj() * b
    peak = torch.fft.irfft2(cross / cross.abs().clamp(min=1e-12), s=(height, width)).flatten(1).argmax(dim=1)
    y, x = peak // width, peak % width
    y, x = torch.where(y > height // 2, y - height, y), torch.where(x > width // 2, x - width, x)
    return _moved(x.to(one), y.to(one), _units(one, first))


def overlaps(first: Image, second: Image, degrees: float = 0.0) -> Homographies:
    """The translations (units) with the best correlation of what overlaps, at an eighth of the size (Padfield 2012).

    `degrees`: by which the second image is turned about its middle first. For large shifts: phase correlation takes
    images for tiles and sees little of them.
    """
    one, other = small(first, 8), small(second, 8)
    units = _units(one[:, 0], first)
    turned, known = _turned(other, degrees)
    y, x = _masked_peak(one[:, 0], turned[:, 0], known)
    return _rotation(-degrees, one) @ _moved(x, y, units)


def _masked_peak(
    one: Float[Tensor, "pair h w"], other: Float[Tensor, "pair h w"], known: Bool[Tensor, "h w"]
) -> tuple[Float[Tensor, " pair"], Float[Tensor, " pair"]]:
    """How far `one` is to be moved, down and right, to correlate best with `other` where that is known."""
    height, width = one.shape[-2:]
    size = (2 * height, 2 * width)
    one = one - one.mean(dim=(1, 2), keepdim=True)
    mask = known.to(one)
    other = mask * (other - (mask * other).sum(dim=(1, 2), keepdim=True) / mask.sum())
    ours = [torch.fft.rfft2(v, s=size).conj() for v in (torch.ones_like(one[:1]), one, one * one)]
    theirs = [torch.fft.rfft2(v, s=size) for v in (mask[None], other, other * other)]

    def together(a: Tensor, b: Tensor) -> Float[Tensor, "pair tall wide"]:
        return torch.fft.irfft2(a * b, s=size)

    count = together(ours[0], theirs[0]).round().clamp(min=1)
    sum_one, sum_other = together(ours[1], theirs[0]), together(ours[0], theirs[1])
    product = together(ours[1], theirs[1]) - sum_one * sum_other / count
    spread_one = (together(ours[2], theirs[0]) - sum_one * sum_one / count).clamp(min=0)
    spread_other = (together(ours[0], theirs[2]) - sum_other * sum_other / count).clamp(min=0)
    both = (spread_one * spread_other).sqrt()
    enough = (count >= _LEAST_OVERLAP * count.amax()) & (both > 1e-4 * both.amax(dim=(1, 2), keepdim=True))
    peak = torch.where(enough, product / both.clamp(min=1e-12), -torch.inf).flatten(1).argmax(dim=1)
    y, x = peak // size[1], peak % size[1]
    y, x = torch.where(y > height, y - size[0], y), torch.where(x > width, x - size[1], x)
    return y.to(one), x.to(one)


def _turned(
    image: Float[Tensor, "pair 1 h w"], degrees: float
) -> tuple[Float[Tensor, "pair 1 h w"], Bool[Tensor, "h w"]]:
    """The image turned about its middle, zeros outside, and where it is known."""
    if degrees == 0:
        return image, torch.ones_like(image[0, 0], dtype=torch.bool)
    units = Units.of(image)
    x, y = units.places(image)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    read, at = units.sampler(image), torch.stack([cos * x - sin * y, sin * x + cos * y])[None]
    known = read.within(at)
    return known * read(image, at.expand(len(image), -1, -1, -1)), known[0, 0]


def _rotation(degrees: float, like: Tensor) -> Homographies:
    """From the turned image to the image, units."""
    turn = torch.full_like(like.flatten()[:1], math.radians(degrees))
    cos, sin, none, one = turn.cos(), turn.sin(), torch.zeros_like(turn), torch.ones_like(turn)
    rows = [torch.stack(row, dim=1) for row in ((cos, sin, none), (-sin, cos, none), (none, none, one))]
    return torch.stack(rows, dim=1)


def _moved(x: Float[Tensor, " pair"], y: Float[Tensor, " pair"], units: Units) -> Homographies:
    """Shifts by pixels."""
    across, down = units.scale
    one, none = torch.ones_like(x), torch.zeros_like(x)
    rows = [torch.stack(row, dim=1) for row in ((one, none, x / across), (none, one, y / down), (none, none, one))]
    return torch.stack(rows, dim=1)


def _units(reduced: Float[Tensor, "pair h w"], full: Image) -> Units:
    return Units(reduced.shape[-2], reduced.shape[-1], (full.shape[-2], full.shape[-1]))


def _hann(length: int, like: Tensor) -> Float[Tensor, " length"]:
    return 0.5 - 0.5 * torch.cos(
        torch.arange(length, device=like.device, dtype=like.dtype) * (2 * math.pi / (length - 1))
    )
