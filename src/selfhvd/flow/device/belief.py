"""Is a path that was found one of a hand? `exposure_fit._Fit.explains` for many pairs at once, on a device."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.device.fit import refined
from selfhvd.flow.device.level import Image, Level
from selfhvd.flow.device.trajectory import Trajectories, extent
from selfhvd.ops.area import means_around

CLEAR = 12.0
"""Speed, pixels of the level, from which on how a path turns can be told from the blur."""
_ROUNDS = 4
"""Of Gauss-Newton, for the images without motion."""
_DETAIL = 15
"""Pixels a side of what counts as detail; twice the path, if that is more, for less is wiped out."""
_LEAST_REACH = 2.0
"""Pixels of the level; a shorter path hides no part of a pixel that could be told from noise."""
_LONGEST = 0.3
"""Of the diagonal: a longer path in one exposure is no hand's."""
_TURNING = 3.0
"""Acceleration, in multiples of the speed, beyond which a path is no hand's, unless it is short."""
_LEFT = 0.42
"""Part of the disagreement of detail without motion that a believed path leaves at most."""
_STRANGE = 0.08
"""Disagreement of detail (1 - correlation) from which on the images do not show the same."""


def explains(level: Level, path: Trajectories) -> Bool[Tensor, " pair"]:
    """Whether a hand may move so, and detail of the images is nearer to each other with that motion than without.

    Detail, because that is what a blur takes: all else is alike with any path and with none.
    """
    unit = level.units.unit
    turns = (unit * path.extent > CLEAR) & (extent(path.acceleration) > _TURNING * path.extent)
    able = (unit * path.length >= _LEAST_REACH) & (path.length <= 2 * _LONGEST) & ~turns
    still = refined(level, Trajectories.still(path.middle), _ROUNDS, moving=False)
    most = max(_DETAIL, min(level.units.height, level.units.width) / 2)
    reach = ((2 * unit * path.length).clamp(_DETAIL, most) / 2).floor()
    target = level.at_places(_detail(level.blurry, reach))[:, 0]
    moving = level.disagreement(level.exposed(_brought(level, path, reach), path), target)
    without = level.disagreement(level.shown(_brought(level, still.path, reach)), target)
    left = _LEFT * torch.where(still.holds, without, torch.inf)
    return able & (moving < left.clamp(max=_STRANGE))


def _brought(
    level: Level, path: Trajectories, reach: Float[Tensor, " pair"]
) -> Float[Tensor, "pair plane=2 height width"]:
    """Detail of the sharp images on the blurry ones' grid, and where they are known (0..1)."""
    image, known = level.brought(path.middle)[:, :2].split(1, dim=1)
    return torch.cat([_detail(image, reach), known], dim=1)


def _detail(image: Image, reach: Float[Tensor, " pair"]) -> Image:
    return image - means_around(image, reach[:, None])
