"""Where no path of the camera explains a blur: `selfhvd.flow.camera.scene_blur` on a device."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfhvd.flow.device.sampling import Sampler
from selfhvd.flow.device.trajectory import moments
from selfhvd.ops.flatness import mean_around
from selfhvd.ops.grid import pixel_grid
from selfhvd.ops.light import GAMMA
from selfhvd.ops.order import best, median_around

Field = Float[Tensor, "batch xy=2 height width"]
Image = Float[Tensor, "batch 3 height width"]

PARTS = (0.0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8)
"""Of the way, that are tried."""
_CALM = (5, 15)
"""Pixels a side of the median and of the mean that take errors out of the way."""
_LIKELY = 0.8
"""Part of the pixels that is looked at to judge one, the best: what goes its own way does not count."""
_INSTANTS, _AT_ONCE = 15, 5
"""Moments of an exposure, and how many of them are read together."""


@dataclass(frozen=True)
class SceneBlurs:
    """How far what each pixel shows goes while the shutter is open."""

    way: Field
    """Pixels."""

    def seen(self, sharp: Image, flow: Field) -> Image:
        """`sharp`, brought over by `flow` and blurred along the way, in linear light; RGB in [0, 1]."""
        return self.of(sharp.clamp(0, 1) ** GAMMA, flow)

    def of(self, light: Image, flow: Field) -> Image:
        """The same of linear light."""
        read = Sampler(light.shape[-2], light.shape[-1], (1.0, 1.0), light)
        start, seen = centred(light) + flow, torch.zeros_like(light)
        for tau in moments(light, _INSTANTS).split(_AT_ONCE):
            at = start[:, :, None] + tau[:, None, None] * self.way[:, :, None]
            seen += read(light, at.flatten(2, 3)).unflatten(2, (len(tau), -1)).sum(dim=2)
        return (seen / _INSTANTS).clamp(0, 1) ** (1 / GAMMA)


def centred(like: Image) -> Float[Tensor, "xy=2 height width"]:
    """Pixels from the centre."""
    x, y = pixel_grid(*like.shape[-2:], like=like)
    return torch.stack([x - (like.shape[-1] - 1) / 2, y - (like.shape[-2] - 1) / 2])


def scene_blurs(blurry: Image, sharp: tuple[Image, Image], flows: tuple[Field, Field]) -> SceneBlurs:
    """The part of the way between the two sharp images with which they look most like `blurry`.

    Args:
        blurry: one image, RGB in [0, 1].
        sharp: the images before and after, or two on one side; the same.
        flows: from `blurry` into each of them.
    """
    way = _calm(flows[0] - flows[1])
    small, small_way = F.avg_pool2d(blurry, 2), F.avg_pool2d(way, 2) / 2
    light = F.avg_pool2d(torch.cat(sharp), 2).clamp(0, 1) ** GAMMA
    flow = F.avg_pool2d(torch.cat(flows), 2) / 2

    def missed(part: float) -> Float[Tensor, ""]:
        seen = SceneBlurs((part * small_way).expand(2, -1, -1, -1)).of(light, flow)
        nearest = (seen - small).abs().mean(dim=1).amin(dim=0).flatten().sort().values
        return nearest[: int(_LIKELY * len(nearest))].mean()

    parts = torch.stack([torch.full_like(way[0, 0, 0, 0], part) for part in PARTS])
    part = best(torch.stack([missed(part) for part in PARTS])[None], parts[None])[0]
    return SceneBlurs(part * way)


def _calm(way: Field) -> Field:
    median, mean = _CALM
    return mean_around(median_around(way, median).flatten(0, 1), mean).view_as(way)
