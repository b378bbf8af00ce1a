"""Where was the camera half way through the exposure? `exposure_fit` for many pairs at once, on a device."""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.flow.camera import exposure_model as model
from selfhvd.flow.device.belief import explains
from selfhvd.flow.device.fit import Found, refined
from selfhvd.flow.device.level import Image, Level
from selfhvd.flow.device.trajectory import Trajectories
from selfhvd.flow.device.units import Homographies
from selfhvd.ops.order import best

_KNOWN_ROUNDS = 5, 4, 3
"""Of Gauss-Newton on each level where all but the middle is known."""
_DIRECTIONS = 8
"""In which each of them is tried."""
_TRIED_INSTANTS = 9
"""Moments at which those are looked at."""


class ExposurePair:
    """Pairs of images in linear light, mean of the channels, at the sizes at which paths are looked for."""

    def __init__(self, blurry: Image, sharp: Image) -> None:
        self._levels = [Level(blurry, sharp, longest) for longest in model.SIDES]

    def trajectories(self, start: Homographies) -> Found:
        """The paths on which the sharp images become the blurry ones, and where they are believed.

        `start` (units) may miss by as much as the blur is long.
        """
        found = self._followed(guessed(self._levels[0], Trajectories.still(start)), model.ROUNDS, moving=True)
        speed = self._levels[-1].units.unit * found.path.extent
        return Found(found.path.centred(((model.CLEAR - speed) / (model.CLEAR - model.SHORT)).clamp(0, 1)), found.holds)

    def with_known(self, path: Trajectories) -> Found:
        """The same where all but the middle is known, from another sharp image."""
        return self._followed(path, _KNOWN_ROUNDS, moving=False)

    def _followed(self, path: Trajectories, rounds: tuple[int, ...], *, moving: bool) -> Found:
        """Coarse to fine; judged on the finest level."""
        holds = torch.ones_like(path.extent, dtype=torch.bool)
        for level, count in zip(self._levels, rounds, strict=True):
            found = refined(level, path, count, moving=moving)
            holds, path = holds & found.holds, found.path
        return Found(path, holds & explains(self._levels[-1], path))

    def homographies(self, start: Homographies) -> Homographies:
        """`start` made exact, for images blurred alike; itself where that fails."""
        level, begun = self._levels[-1], Trajectories.still(start)
        found = refined(level, begun, model.ROUNDS[-1], moving=False)
        ours, theirs = (
            level.disagreement(level.shown(level.brought(middle)), level.target)
            for middle in (found.path.middle, start)
        )
        return torch.where((found.holds & (ours < theirs))[:, None, None], found.path.middle, start)


def guessed(level: Level, path: Trajectories) -> Trajectories:
    """Of straight paths of several lengths and directions the one that misses least."""
    brought = level.brought(path.middle)[:, :2].repeat_interleave(_DIRECTIONS, dim=0)
    turns = torch.arange(_DIRECTIONS, device=brought.device, dtype=brought.dtype) * (math.pi / _DIRECTIONS)
    none = torch.zeros_like(turns)
    ways = torch.stack([turns.cos(), turns.sin(), none, none], dim=1)
    tried = [(reach / level.units.unit * ways).repeat(len(path.middle), 1) for reach in model.TRIED]
    middle, still = path.middle.repeat_interleave(_DIRECTIONS, dim=0), torch.zeros_like(tried[0])
    missed = [_mean_error(level, brought, Trajectories(middle, way, still, still[:, 0])) for way in tried]
    missing, choices = (
        torch.stack([part.unflatten(0, (-1, _DIRECTIONS)) for part in parts], dim=1).flatten(1, 2)
        for parts in (missed, tried)
    )
    return replace(path, velocity=best(missing, choices), acceleration=torch.zeros_like(path.velocity))


def _mean_error(
    level: Level, brought: Float[Tensor, "pair plane height width"], path: Trajectories
) -> Float[Tensor, " pair"]:
    seen = level.exposed(brought, path, _TRIED_INSTANTS)
    target = level.target.repeat_interleave(_DIRECTIONS, dim=0)
    share = seen.known.float().mean(dim=1)
    missed = ((seen.values - target).abs() * seen.known).mean(dim=1) / share.clamp(min=1e-6)
    return torch.where(share > model.LEAST_OVERLAP, missed, torch.inf)
