"""Detail on the finest scales: whether noise may feign sharpness."""

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.ops.resize import halved

_LEAST_SIDE = 4
"""Pixels; smaller images have no detail at half the size."""


def detail_growth(
    image: Float[Tensor, "batch channel height width"],
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """How much stronger the finest detail is at half the size than here, and `finest_detail`, what it is here (ours).

    White noise gives a half, pictures without it 1.4 to 2.8: their detail lies on coarser scales, noise on the finest.
    `image` is in [0, 1]. Infinite where there is no detail at all, or the image is too small for any.
    """
    if min(image.shape[-2:]) < _LEAST_SIDE:
        return torch.full((image.shape[0],), torch.inf), finest_detail(image)
    here, there = finest_detail(image), finest_detail(halved(image))
    return torch.where(here > 0, there / here, torch.inf), here


def finest_detail(image: Float[Tensor, "batch channel height width"]) -> Float[Tensor, " batch"]:
    """Mean |diagonal difference| of two by two pixels; rounding to 8 bits alone gives 0.23 / 255 (ours)."""
    if min(image.shape[-2:]) < 2:
        return torch.zeros(image.shape[0])
    height, width = (side // 2 * 2 for side in image.shape[-2:])
    down = image[..., 0:height:2, :width] - image[..., 1:height:2, :width]
    return (down[..., 0::2] - down[..., 1::2]).abs().mean(dim=(1, 2, 3)) / 2
