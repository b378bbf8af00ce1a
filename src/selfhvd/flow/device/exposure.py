"""Where was the camera half way through the exposure? `exposure_fit` for many pairs at once, on a device."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.device.fit import Found, refined
from selfhvd.flow.device.level import LEAST_OVERLAP, Image, Level
from selfhvd.flow.device.trajectory import Trajectories, extent
from selfhvd.flow.device.units import Homographies
from selfhvd.ops.order import best

_SIDES = (120, 240, 720)
"""Longer side of the images, coarse to fine, at most."""
_ROUNDS, _KNOWN_ROUNDS = (10, 8, 4), (5, 4, 3)
"""Of Gauss-Newton on each level, and where all but the middle is known."""
_JUDGED = 1
"""Level at which a path is believed or not."""
_TRIED = (0.5, 1.5, 3.0, 6.0, 10.0)
"""Lengths of straight paths tried first, coarse pixels."""
_DIRECTIONS = 8
"""In which each of them is tried."""
_TRIED_INSTANTS = 9
"""Moments at which those are looked at."""
_LEAST_REACH = 1.5
"""Pixels of the level that judges; a shorter path hides no part of a pixel that could be told from noise."""
_LONGEST = 0.3
"""Of the diagonal: a longer path in one exposure is no hand's."""
_TURNING = 3.0
"""Acceleration, in multiples of the speed, beyond which the middle of a path is guesswork."""
_LEFT = 0.6
"""Part of the disagreement without motion that a believed path leaves there at most."""
_STRANGE = 0.003
"""Disagreement (1 - correlation) from which on the images do not show the same."""


class ExposurePair:
    """Pairs of images in linear light, mean of the channels, at the sizes at which paths are looked for."""

    def __init__(self, blurry: Image, sharp: Image) -> None:
        self._levels = [Level(blurry, sharp, longest) for longest in _SIDES]

    def trajectories(self, start: Homographies) -> Found:
        """The paths on which the sharp images become the blurry ones, and where they are believed.

        `start` (units) may miss by as much as the blur is long.
        """
        path = guessed(self._levels[0], Trajectories.still(start))
        return self._followed(path, _ROUNDS, moving=True)

    def with_known(self, path: Trajectories) -> Found:
        """The same where all but the middle is known, from another sharp image."""
        return self._followed(path, _KNOWN_ROUNDS, moving=False)

    def _followed(self, path: Trajectories, rounds: tuple[int, ...], *, moving: bool) -> Found:
        """Coarse to fine; what fails on the finest level stays as it was before."""
        believed = torch.ones_like(path.extent, dtype=torch.bool)
        for number, (level, count) in enumerate(zip(self._levels, rounds, strict=True)):
            found = refined(level, path, count, moving=moving)
            if number <= _JUDGED:
                believed = believed & found.holds
            if number == _JUDGED:
                believed = believed & explains(level, found.path)
            path = found.path.where(found.holds, path)
        return Found(path, believed)

    def homographies(self, start: Homographies) -> Homographies:
        """`start` made exact, for images blurred alike; itself where that fails."""
        level, begun = self._levels[-1], Trajectories.still(start)
        found = refined(level, begun, _ROUNDS[-1], moving=False)
        ours, theirs = (level.disagreement(level.shown(level.brought(m))) for m in (found.path.middle, start))
        return torch.where((found.holds & (ours < theirs))[:, None, None], found.path.middle, start)


def guessed(level: Level, path: Trajectories) -> Trajectories:
    """Of straight paths of several lengths and directions the one that misses least."""
    brought = level.brought(path.middle)[:, :2].repeat_interleave(_DIRECTIONS, dim=0)
    turns = torch.arange(_DIRECTIONS, device=brought.device, dtype=brought.dtype) * (math.pi / _DIRECTIONS)
    none = torch.zeros_like(turns)
    ways = torch.stack([turns.cos(), turns.sin(), none, none], dim=1)
    tried = [(reach / level.units.unit * ways).repeat(len(path.middle), 1) for reach in _TRIED]
    middle, still = path.middle.repeat_interleave(_DIRECTIONS, dim=0), torch.zeros_like(tried[0])
    missed = [_mean_error(level, brought, Trajectories(middle, way, still)) for way in tried]
    missing, choices = (
        torch.stack([part.unflatten(0, (-1, _DIRECTIONS)) for part in parts], dim=1).flatten(1, 2)
        for parts in (missed, tried)
    )
    return Trajectories(path.middle, best(missing, choices), torch.zeros_like(path.velocity))


def explains(level: Level, path: Trajectories) -> Bool[Tensor, " pair"]:
    """Whether a hand may move so, and the images are nearer to each other with that motion than without."""
    unit = level.units.unit
    able = (path.length <= 2 * _LONGEST) & (extent(path.acceleration) <= _TURNING * path.extent)
    brought = level.brought(path.middle)
    moving, still = (level.disagreement(seen) for seen in (level.exposed(brought, path), level.shown(brought)))
    return able & (unit * path.extent >= _LEAST_REACH) & (moving < (_LEFT * still).clamp(max=_STRANGE))


def _mean_error(
    level: Level, brought: Float[Tensor, "pair plane height width"], path: Trajectories
) -> Float[Tensor, " pair"]:
    seen = level.exposed(brought, path, _TRIED_INSTANTS)
    target = level.target.repeat_interleave(_DIRECTIONS, dim=0)
    share = seen.known.float().mean(dim=1)
    missed = ((seen.values - target).abs() * seen.known).mean(dim=1) / share.clamp(min=1e-6)
    return torch.where(share > LEAST_OVERLAP, missed, torch.inf)
