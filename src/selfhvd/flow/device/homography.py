"""Which homography leads from one image to another? `find_homography` for many pairs at once, on a device.

Correlations, with and without a turn, and no motion at all are the starts; each is refined by Gauss-Newton, coarse to
fine, and the one with the smallest misfit is gathered.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.device.correlation import overlaps, shifts
from selfhvd.flow.device.fit import refined
from selfhvd.flow.device.level import Image, Level
from selfhvd.flow.device.sampling import sampled
from selfhvd.flow.device.trajectory import Trajectories
from selfhvd.flow.device.units import Homographies, Units, is_plausible, mapped
from selfhvd.ops.area import area_reduced
from selfhvd.ops.flatness import mean_around
from selfhvd.ops.order import best, quantile_where

_ALIKE = 0.95
"""Correlation, low-passed, below which a motion is doubtful and turns are tried."""
_TURNS = (-18.0, -9.0, 9.0, 18.0)
"""Degrees by which the second image is turned then."""
_WORST_MISFIT = 25.0 / 255
"""Grey, 0..1, by which a motion may miss and still be one."""
_BLANK = 1e-3 / 255
"""Contrast, grey 0..1, below which there is nothing to compare."""
_COARSE, _MIDDLE, _FINE = 8, 4, 2
"""Parts of the size at which starts are refined, judged, and the best one is refined."""
_ROUNDS = {_COARSE: 12, _MIDDLE: 10, _FINE: 8}
_ACROSS = 12
"""Full pixels, about, of the low-pass with which misfits are told."""
_LEAST_OVERLAP = 0.2
_LEAST_SIDE = 16


@dataclass(frozen=True)
class FoundHomographies:
    """Homographies (units), and for which pairs there is one."""

    matrix: Homographies
    holds: Bool[Tensor, " pair"]


def find_homographies(first: Image, second: Image) -> FoundHomographies:
    """From `first` to `second`, grey in [0, 1], to a pixel or so, more where blur hides it."""
    pairs = len(first)
    none = torch.eye(3, device=first.device, dtype=first.dtype).expand(pairs, 3, 3)
    starts = [none, shifts(first, second), overlaps(first, second)]
    turned = [overlaps(first, second, degrees) for degrees in _TURNS]
    fitted = _refined(first, second, [*starts, *turned])
    plain = [*fitted[: len(starts)], none]
    judge = _Judge(first, second, _MIDDLE)
    chosen = judge.best(plain)
    doubtful = judge.likeness(chosen) < _ALIKE
    others = judge.best([chosen, *fitted[len(starts) :], *turned])
    chosen = torch.where(doubtful[:, None, None], others, chosen)
    holds = judge.misfit(chosen) < _WORST_MISFIT
    level = Level(first, second, _longest(first, _FINE))
    finer = refined(level, Trajectories.still(chosen), _ROUNDS[_FINE], moving=False, linear=False)
    matrix = _Judge(first, second, _FINE).best([chosen, finer.path.middle])
    return FoundHomographies(matrix, holds)


def _refined(first: Image, second: Image, starts: Sequence[Homographies]) -> list[Homographies]:
    """Each start after some rounds at an eighth and at a quarter of the size, all of them at once."""
    pairs, count = len(first), len(starts)
    found = torch.stack(list(starts), dim=1).flatten(0, 1)
    for part in (_COARSE, _MIDDLE):
        one, other = (image.repeat_interleave(count, dim=0) for image in (first, second))
        level = Level(one, other, _longest(first, part))
        found = refined(level, Trajectories.still(found), _ROUNDS[part], moving=False, linear=False).path.middle
    return list(found.unflatten(0, (pairs, count)).unbind(1))


def _longest(image: Image, part: int) -> int:
    """The longer side at one `part`-th of the size, the shorter one 16 pixels at least."""
    height, width = image.shape[-2:]
    return max(max(height, width) // part, -(-_LEAST_SIDE * max(height, width) // min(height, width)))


class _Judge:
    """Two images reduced to one `part`-th of their size and low-passed, to tell how well homographies (units) fit."""

    def __init__(self, first: Image, second: Image, part: int) -> None:
        height, width = first.shape[-2:]
        size = (max(_LEAST_SIDE, height // part), max(_LEAST_SIDE, width // part))
        side = _ACROSS // part // 2 * 2 + 1
        self._units = Units(*size, (height, width))
        one, self._other = (_mean(area_reduced(image, *size), side) for image in (first, second))
        self._one = one.flatten(1)
        self._places = self._units.places(one)
        self._full = Units(height, width, (height, width))

    def best(self, choices: Sequence[Homographies]) -> Homographies:
        """Of `choices` the plausible one with the smallest misfit; the first where none is plausible."""
        misfits = torch.stack([self._judged(choice) for choice in choices], dim=1)
        return best(misfits, torch.stack(list(choices), dim=1))

    def _judged(self, matrix: Homographies) -> Float[Tensor, " pair"]:
        return torch.where(is_plausible(matrix, self._full), self.misfit(matrix), torch.inf)

    def misfit(self, matrix: Homographies) -> Float[Tensor, " pair"]:
        """Median difference where both images show something; infinity where they hardly overlap."""
        brought, seen = self._over(matrix)
        return quantile_where((self._one - brought).abs(), seen, 0.5)

    def likeness(self, matrix: Homographies) -> Float[Tensor, " pair"]:
        """Correlation where both images show something; 0 where they hardly overlap or show nothing."""
        brought, seen = self._over(matrix)
        share = seen / seen.sum(dim=1, keepdim=True).clamp(min=1)
        one, other = (v - (share * v).sum(dim=1, keepdim=True) for v in (self._one, brought))
        ours, theirs, both = ((share * a * b).sum(dim=1) for a, b in ((one, one), (other, other), (one, other)))
        blank = torch.minimum(ours, theirs) < _BLANK**2
        return torch.where(blank, 0.0, both * (ours * theirs).clamp(min=1e-20).rsqrt())

    def _over(self, matrix: Homographies) -> tuple[Float[Tensor, "pair place"], Bool[Tensor, "pair place"]]:
        """The second image brought over, and where both show something; nowhere where they hardly overlap."""
        ends = self._units.pixels(mapped(matrix, self._places))
        x, y = ends.unbind(1)
        seen = (x >= 0) & (x <= self._units.width - 1) & (y >= 0) & (y <= self._units.height - 1)
        seen = seen.flatten(1)
        enough = seen.float().mean(dim=1, keepdim=True) > _LEAST_OVERLAP
        return sampled(self._other, ends).flatten(1), seen & enough


def _mean(image: Image, side: int) -> Image:
    return mean_around(image[:, 0], side)[:, None]
