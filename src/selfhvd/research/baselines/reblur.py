"""Re-blur: a sharp picture and its blur condition in, a blurry picture out. Ours: along the motion, without weights."""

import math
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.ops.light import GAMMA
from selfhvd.ops.warp import warp_clamped
from selfhvd.research.baselines.blur_condition import BlurCondition


@runtime_checkable
class Reblur(Protocol):
    """A way to blur a picture again."""

    name: str

    def __call__(
        self, image: Float[Tensor, "batch 3 height width"], condition: BlurCondition, seed: int
    ) -> Float[Tensor, "batch 3 height width"]:
        """RGB in [0, 1]; `seed` decides all that is drawn."""
        ...


class MotionReblur:
    """Mean of linear light (gamma 2.2) along the straight line that each pixel smears over; nothing is drawn.

    B(p)^γ = 1/n Σ_k S(p + ((k + ½) / n - ½) · c(p))^γ with the condition c in pixels and n odd, at least its greatest
    length: a pixel of the picture is never stepped over. Beyond the borders their nearest pixel is seen.

    Args:
        most_samples: bound of n.
    """

    name = "motion"

    def __init__(self, most_samples: int = 101) -> None:
        self.most_samples = most_samples

    @torch.no_grad()
    def __call__(
        self, image: Float[Tensor, "batch 3 height width"], condition: BlurCondition, seed: int = 0
    ) -> Float[Tensor, "batch 3 height width"]:
        """See `Reblur`."""
        streak = condition.direction * condition.length
        count = min(math.ceil(float(streak.norm(dim=1).max()) - 1e-3) // 2 * 2 + 1, self.most_samples)
        light = image.clamp(0, 1) ** GAMMA
        total = torch.zeros_like(light)
        for k in range(count):
            total += warp_clamped(light, ((k + 0.5) / count - 0.5) * streak)
        return (total / count).clamp(0, 1) ** (1 / GAMMA)
