"""What is between the pixels, at places in pixels, on every device."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_PADDING = {"bilinear": "zeros", "bicubic": "border"}


def sampled(
    planes: Float[Tensor, "batch plane height width"],
    points: Float[Tensor, "batch xy=2 row column"],
    between: Literal["bilinear", "bicubic"] = "bilinear",
) -> Float[Tensor, "batch plane row column"]:
    """Values at `points`, pixels; beyond the image those of its nearest border pixel."""
    # Whole numbers of the host, not tensors made of them: each of those would be waited for.
    sides = [max(side - 1, 1) for side in (planes.shape[-1], planes.shape[-2])]
    axes = zip(points.unbind(1), sides, strict=True)
    held = [axis.nan_to_num(nan=0.0).clamp(0, side) * (2 / side) - 1 for axis, side in axes]
    grid = torch.stack(held, dim=-1)
    return F.grid_sample(planes, grid, mode=between, padding_mode=_PADDING[between], align_corners=True)
