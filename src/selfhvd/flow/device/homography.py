"""Which homography leads from one image to another? `find_homography` for many pairs at once, on a device.

Correlations, with and without a turn, and no motion at all are the starts; each is refined by Gauss-Newton, coarse to
fine, and the one with the smallest misfit is gathered.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.camera.homography import ALIKE, TURNS
from selfhvd.flow.device.correlation import overlaps, shifts
from selfhvd.flow.device.fit import refined
from selfhvd.flow.device.level import Image, Level
from selfhvd.flow.device.trajectory import Trajectories
from selfhvd.flow.device.units import Homographies, Units, is_plausible, mapped
from selfhvd.ops.area import area_reduced
from selfhvd.ops.flatness import mean_around
from selfhvd.ops.order import best, quantile_where

_WORST_MISFIT = 25.0 / 255
"""Grey, 0..1, by which a motion may miss and still be one."""
_NO_MISFIT = 0.05 / 255
"""Grey, 0..1; motions that miss by less are equally good, as all are for bare images."""
_BLANK = 1e-3 / 255
"""Contrast, grey 0..1, below which there is nothing to compare."""
_COARSE, _MIDDLE, _FINE = 8, 4, 2
"""Parts of the size at which starts are refined, judged, and the best one is refined."""
_ROUNDS = {_COARSE: 10, _MIDDLE: 8, _FINE: 6}
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
    turned = [overlaps(first, second, degrees) for degrees in TURNS]
    fitted = _refined(first, second, [*starts, *turned])
    plain = [none, *fitted[: len(starts)]]
    judge = _Judge(first, second, _MIDDLE)
    chosen = judge.best(plain)
    doubtful = judge.likeness(chosen) < ALIKE
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
        full = (first.shape[-2], first.shape[-1])
        height, width = (max(_LEAST_SIDE, side // part) for side in full)
        side = _ACROSS // part // 2 * 2 + 1
        units, self._full = Units(height, width, full), Units(*full, full)
        one, self._other = (_mean(area_reduced(image, height, width), side) for image in (first, second))
        self._one, self._places, self._read = one.flatten(1), units.places(one), units.sampler(one)

    def best(self, choices: Sequence[Homographies]) -> Homographies:
        """Of `choices` the plausible one with the smallest misfit, the first of equals; any where none is plausible."""
        pairs, count = len(choices[0]), len(choices)
        every = torch.stack(list(choices), dim=1)
        flat = every.flatten(0, 1)
        misfits = torch.where(is_plausible(flat, self._full), self.misfit(flat).clamp(min=_NO_MISFIT), torch.inf)
        return best(misfits.unflatten(0, (pairs, count)), every)

    def misfit(self, matrix: Float[Tensor, "choice 3 3"]) -> Float[Tensor, " choice"]:
        """Median difference where both images show something; infinity where they hardly overlap.

        `matrix`: as many for each pair, those of a pair together.
        """
        one, brought, seen = self._over(matrix)
        return quantile_where((one - brought).abs(), seen, 0.5)

    def likeness(self, matrix: Homographies) -> Float[Tensor, " pair"]:
        """Correlation where both images show something; 0 where they hardly overlap or show nothing."""
        one, brought, seen = self._over(matrix)
        share = seen / seen.sum(dim=1, keepdim=True).clamp(min=1)
        one, other = (v - (share * v).sum(dim=1, keepdim=True) for v in (one, brought))
        ours, theirs, both = ((share * a * b).sum(dim=1) for a, b in ((one, one), (other, other), (one, other)))
        blank = torch.minimum(ours, theirs) < _BLANK**2
        return torch.where(blank, 0.0, both * (ours * theirs).clamp(min=1e-20).rsqrt())

    def _over(
        self, matrix: Float[Tensor, "choice 3 3"]
    ) -> tuple[Float[Tensor, "choice place"], Float[Tensor, "choice place"], Bool[Tensor, "choice place"]]:
        """The first image, the second brought over, and where both show something; nowhere where hardly anything."""
        count = len(matrix) // len(self._one)
        one, other = (image.repeat_interleave(count, dim=0) for image in (self._one, self._other))
        ends = mapped(matrix, self._places)
        seen = self._read.within(ends).flatten(1)
        enough = seen.float().mean(dim=1, keepdim=True) > _LEAST_OVERLAP
        return one, self._read(other, ends).flatten(1), seen & enough


def _mean(image: Image, side: int) -> Image:
    return mean_around(image[:, 0], side)[:, None]
