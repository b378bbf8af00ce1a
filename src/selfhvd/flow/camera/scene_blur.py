"""Where no path of the camera explains a blur: each place is smeared along the way that the scene goes there (ours).

A hand that walks passes near things faster than far ones, and people walk: no one path blurs them alike. But the way
from the sharp image before to the one after is known for each pixel, and while it is even, the blur is a part of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.ops.light import GAMMA
from selfhvd.ops.resize import halved
from selfhvd.ops.warp import warp_clamped

Field = Float[Tensor, "1 xy=2 height width"]
Image = Float[Tensor, "1 3 height width"]

PARTS = (0.0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8)
"""Of the way, that are tried."""
CALM = (5, 15)
"""Pixels a side of the median and of the mean that take errors out of the way."""
LIKELY = 0.8
"""Part of the pixels that is looked at to judge one, the best: what goes its own way does not count."""
APART, MOST = 2.0, 15
"""Pixels between the instants of an exposure, and how many there are at most."""
LONG = 0.95
"""Quantile of the ways that is taken for the longest."""


@dataclass(frozen=True)
class SceneBlur:
    """How far what each pixel shows goes while the shutter is open."""

    way: Field
    """Pixels."""

    def seen(
        self, sharp: Float[Tensor, "1 channel height width"], flow: Field
    ) -> Float[Tensor, "1 channel height width"]:
        """`sharp`, brought over by `flow` and blurred along the way, in linear light; RGB in [0, 1]."""
        light = sharp.clamp(0, 1) ** GAMMA
        count = int(np.clip(np.ceil(_longest(self.way) / APART) + 1, 1, MOST))
        taus = [(k + 0.5) / count - 0.5 for k in range(count)]
        total = torch.zeros_like(light)
        for tau in taus:
            total += warp_clamped(light, flow + tau * self.way)
        return (total / count).clamp(0, 1) ** (1 / GAMMA)


def scene_blur(blurry: Image, sharp: Sequence[Image], flows: Sequence[Field]) -> SceneBlur:
    """The part of the way between the first two of `sharp` with which they look most like `blurry`.

    Args:
        blurry: RGB in [0, 1].
        sharp: the images before and after, or two on one side; the same.
        flows: from `blurry` into each of them.
    """
    way = _calm(flows[0] - flows[1])
    small, small_way = halved(blurry), halved(way) / 2
    pairs = [(halved(image), halved(flow) / 2) for image, flow in zip(sharp[:2], flows[:2], strict=True)]

    def missed(part: float) -> float:
        blur = SceneBlur(part * small_way)
        apart = torch.stack([(blur.seen(image, flow) - small).abs().mean(dim=1) for image, flow in pairs])
        best = apart.amin(dim=0).flatten().sort().values
        return float(best[: int(LIKELY * len(best))].mean())

    return SceneBlur(min(PARTS, key=missed) * way)


def _calm(way: Field) -> Field:
    median, mean = CALM
    planes = [cv2.blur(cv2.medianBlur(plane, median), (mean, mean)) for plane in way[0].cpu().numpy()]
    return torch.from_numpy(np.stack(planes))[None].to(way)


def _longest(way: Field) -> float:
    """Pixels."""
    return float(torch.hypot(*way[0])[::4, ::4].flatten().quantile(LONG))
