"""Where no path of the camera explains a blur: `selfhvd.flow.camera.scene_blur` on a device."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfhvd.flow.camera.scene_blur import APART, CALM, LIKELY, LONG, MOST, PARTS
from selfhvd.flow.device.sampling import Sampler, centred
from selfhvd.ops.flatness import mean_around
from selfhvd.ops.light import GAMMA
from selfhvd.ops.order import best, median_around, quantile_where

Field = Float[Tensor, "batch xy=2 height width"]
Image = Float[Tensor, "batch 3 height width"]

_AT_ONCE = 5
"""Of them read together."""


@dataclass(frozen=True)
class SceneBlurs:
    """How far what each pixel shows goes while the shutter is open."""

    way: Field
    """Pixels."""

    def seen(
        self, sharp: Float[Tensor, "batch channel height width"], flow: Field
    ) -> Float[Tensor, "batch channel height width"]:
        """`sharp`, brought over by `flow` and blurred along the way, in linear light; RGB in [0, 1]."""
        return self.of(sharp.clamp(0, 1) ** GAMMA, flow)

    def of(
        self, light: Float[Tensor, "batch channel height width"], flow: Field
    ) -> Float[Tensor, "batch channel height width"]:
        """The same of linear light."""
        read = Sampler(light.shape[-2], light.shape[-1], (1.0, 1.0), light)
        start, seen = centred(light) + flow, torch.zeros_like(light)
        number = torch.arange(MOST, device=light.device, dtype=light.dtype)
        count = self._count()[:, None]
        tau, share = (number + 0.5) / count - 0.5, (number < count) / count
        for n in range(0, MOST, _AT_ONCE):
            some = slice(n, n + _AT_ONCE)
            at = start[:, :, None] + tau[:, None, some, None, None] * self.way[:, :, None]
            views = read(light, at.flatten(2, 3)).unflatten(2, (_AT_ONCE, -1))
            seen += torch.einsum("bn,bcnhw->bchw", share[:, some], views)
        return seen.clamp(0, 1) ** (1 / GAMMA)

    def _count(self) -> Float[Tensor, " batch"]:
        """Moments that are looked at: as many as the ways are long."""
        length = torch.hypot(*self.way[:, :, ::4, ::4].unbind(1)).flatten(1)
        longest = quantile_where(length, torch.ones_like(length, dtype=torch.bool), LONG)
        return ((longest / APART).ceil() + 1).clamp(1, MOST)


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
        return nearest[: int(LIKELY * len(nearest))].mean()

    parts = torch.stack([torch.full_like(way[0, 0, 0, 0], part) for part in PARTS])
    part = best(torch.stack([missed(part) for part in PARTS])[None], parts[None])[0]
    return SceneBlurs(part * way)


def _calm(way: Field) -> Field:
    median, mean = CALM
    return mean_around(median_around(way, median).flatten(0, 1), mean).view_as(way)
