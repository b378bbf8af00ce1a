"""Backward warp W (Eq. 3) and the resizing of flow fields."""

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfhvd.ops.grid import pixel_grid, to_sampler

Resampling = Literal["bilinear", "bicubic"]


def warp(
    image: Float[Tensor, "batch channel height width"],
    flow: Float[Tensor, "batch xy=2 height width"],
    resampling: Resampling = "bilinear",
) -> Float[Tensor, "batch channel height width"]:
    """W(X, Φ)(p) = X(p + Φ(p)): bring `image` onto the grid on which `flow` is defined.

    Zeros outside the image; bicubic values may leave the image's range a little. Flow in pixels, (x, y).
    """
    points = pixel_grid(*image.shape[-2:], like=flow) + flow
    return F.grid_sample(image, to_sampler(points), mode=resampling, padding_mode="zeros", align_corners=True)


def resize_flow(
    flow: Float[Tensor, "batch xy=2 h w"], height: int, width: int
) -> Float[Tensor, "batch xy=2 height width"]:
    """Resize a flow field to `height` x `width`: both the grid and the pixel values scale."""
    old_height, old_width = flow.shape[-2:]
    if (old_height, old_width) == (height, width):
        return flow
    scale = flow.new_tensor([width / old_width, height / old_height]).view(1, 2, 1, 1)
    return F.interpolate(flow, size=(height, width), mode="bicubic", align_corners=False) * scale


def warp_clamped(
    image: Float[Tensor, "batch channel height width"],
    flow: Float[Tensor, "batch xy=2 height width"],
) -> Float[Tensor, "batch channel height width"]:
    """As `warp`, but outside the image its nearest border pixel is seen: for fields, which do not end at the border."""
    points = pixel_grid(*image.shape[-2:], like=flow) + flow
    return F.grid_sample(image, to_sampler(points), mode="bilinear", padding_mode="border", align_corners=True)
