"""Where no path of the camera explains a blur: `selfhvd.flow.camera.scene_blur` on a device."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfhvd.flow.device.sampling import sampled
from selfhvd.flow.device.trajectory import moments
from selfhvd.ops.flatness import mean_around
from selfhvd.ops.grid import pixel_grid
from selfhvd.ops.light import GAMMA
from selfhvd.ops.order import best, median_around, quantile_where

Field = Float[Tensor, "batch xy=2 height width"]
Image = Float[Tensor, "batch 3 height width"]

PARTS = (0.0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8)
"""Of the way, that are tried."""
_CALM = (5, 15)
"""Pixels a side of the median and of the mean that take errors out of the way."""
_LIKELY = 0.8
"""Part of the pixels that is looked at to judge one, the best: what goes its own way does not count."""
_INSTANTS = 15
"""Of an exposure."""


@dataclass(frozen=True)
class SceneBlurs:
    """How far what each pixel shows goes while the shutter is open."""

    way: Field
    """Pixels."""

    def seen(self, sharp: Image, flow: Field) -> Image:
        """`sharp`, brought over by `flow` and blurred along the way, in linear light; RGB in [0, 1]."""
        light = sharp.clamp(0, 1) ** GAMMA
        start = pixel_grid(*sharp.shape[-2:], like=sharp) + flow
        total = torch.zeros_like(light)
        for tau in moments(light, _INSTANTS).unbind():
            total += sampled(light, start + tau * self.way)
        return (total / _INSTANTS).clamp(0, 1) ** (1 / GAMMA)


def scene_blurs(blurry: Image, sharp: tuple[Image, Image], flows: tuple[Field, Field]) -> SceneBlurs:
    """The part of the way between the two sharp images with which they look most like `blurry`.

    Args:
        blurry: RGB in [0, 1].
        sharp: the images before and after, or two on one side; the same.
        flows: from `blurry` into each of them.
    """
    way = _calm(flows[0] - flows[1])
    small, small_way = F.avg_pool2d(blurry, 2), F.avg_pool2d(way, 2) / 2
    pairs = [(F.avg_pool2d(image, 2), F.avg_pool2d(flow, 2) / 2) for image, flow in zip(sharp, flows, strict=True)]

    def missed(part: float) -> Float[Tensor, " batch"]:
        blur = SceneBlurs(part * small_way)
        apart = torch.stack([(blur.seen(image, flow) - small).abs().mean(dim=1) for image, flow in pairs])
        nearest = apart.amin(dim=0).flatten(1)
        likely = nearest <= quantile_where(nearest, torch.ones_like(nearest, dtype=torch.bool), _LIKELY)[:, None]
        return (nearest * likely).sum(dim=1) / likely.sum(dim=1)

    parts = torch.stack([torch.full_like(way[:, 0, 0, 0], part) for part in PARTS], dim=1)
    part = best(torch.stack([missed(part) for part in PARTS], dim=1), parts)
    return SceneBlurs(part[:, None, None, None] * way)


def _calm(way: Field) -> Field:
    median, mean = _CALM
    return mean_around(median_around(way, median).flatten(0, 1), mean).view_as(way)
