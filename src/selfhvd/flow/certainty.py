"""From SEA-RAFT's mixture to U of Eq. 4: how sure a flow is of each pixel."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Heat = Float[Tensor, "batch 1 height width"]


@dataclass(frozen=True)
class CertaintyConfig:
    """How heat, the expected log-scale of the flow's error, becomes U in [0, 1].

    `fixed` (ours): U = 1 - min(heat / ln(`lost_at`), 1). A flow that is good everywhere keeps all of its pixels, a poor
    one loses all, and a pixel counts the same in every frame.
    `per-image` (the author's later code): min-max over each image, then 1 where 1 - heat >= 0.5, else 0. It always
    finds a worst pixel, so a nearly perfect flow still loses the worse half of its range, and one pixel that is very
    wrong makes all others look sure.
    """

    scale: Literal["fixed", "per-image"] = "fixed"
    lost_at: float = 5.0
    """Pixels of the searched size, above 1: scale of the error at which a pixel counts as lost; `fixed` only. 5 is
    where Eq. 5's mask ends at full resolution (derived; not calibrated on trained weights)."""


def heat(info: Float[Tensor, "batch 4 height width"], var_min: float, var_max: float) -> Heat:
    """SEA-RAFT's heat map: the log-scales of its two Laplace distributions, weighted by their shares.

    Args:
        info: logits of the two shares, then two raw log-scales, in ln(pixels).
        var_min: the second log-scale is held to `var_min`..0; with 0 its distribution has a scale of one pixel.
        var_max: the first one is held to 0..`var_max`.
    """
    share = info[:, :2].softmax(dim=1)
    scale = torch.stack([info[:, 2].clamp(0, var_max), info[:, 3].clamp(var_min, 0)], dim=1)
    return (share * scale).sum(dim=1, keepdim=True)


def certainty(hot: Heat, config: CertaintyConfig = CertaintyConfig()) -> Float[Tensor, "batch 1 height width"]:
    """U of Eq. 4, in [0, 1]; see `CertaintyConfig`."""
    if config.scale == "fixed":
        return 1 - (hot / math.log(config.lost_at)).clamp(0, 1)
    best, worst = hot.amin(dim=(1, 2, 3), keepdim=True), hot.amax(dim=(1, 2, 3), keepdim=True)
    return (1 - (hot - best) / (worst - best + 1e-8) >= 0.5).to(hot.dtype)
