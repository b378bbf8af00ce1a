"""Is a path that was found one of a hand? `exposure_fit._Fit.explains` for many pairs at once, on a device."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.camera import exposure_model as model
from selfhvd.flow.device.fit import refined
from selfhvd.flow.device.level import Image, Level
from selfhvd.flow.device.trajectory import Trajectories, extent
from selfhvd.ops.area import means_around


def explains(level: Level, path: Trajectories) -> Bool[Tensor, " pair"]:
    """Whether a hand may move so, and detail of the images is nearer to each other with that motion than without.

    Detail, because that is what a blur takes: all else is alike with any path and with none.
    """
    unit = level.units.unit
    turns = (unit * path.extent > model.CLEAR) & (extent(path.acceleration) > model.TURNING * path.extent)
    able = (unit * path.length >= model.LEAST_REACH) & (path.length <= 2 * model.LONGEST) & ~turns
    still = refined(level, Trajectories.still(path.middle), model.ROUNDS[-1], moving=False)
    most = max(model.DETAIL, min(level.units.height, level.units.width) / 2)
    reach = ((2 * unit * path.length).clamp(model.DETAIL, most) / 2).floor()
    target = level.at_places(_detail(level.blurry, reach))[:, 0]
    moving = level.disagreement(level.exposed(_brought(level, path, reach), path), target)
    without = level.disagreement(level.shown(_brought(level, still.path, reach)), target)
    left = model.LEFT * torch.where(still.holds, without, torch.inf)
    return able & (moving < left.clamp(max=model.STRANGE))


def _brought(
    level: Level, path: Trajectories, reach: Float[Tensor, " pair"]
) -> Float[Tensor, "pair plane=2 height width"]:
    """Detail of the sharp images on the blurry ones' grid, and where they are known (0..1)."""
    image, known = level.brought(path.middle)[:, :2].split(1, dim=1)
    return torch.cat([_detail(image, reach), known], dim=1)


def _detail(image: Image, reach: Float[Tensor, " pair"]) -> Image:
    return image - means_around(image, reach[:, None])
