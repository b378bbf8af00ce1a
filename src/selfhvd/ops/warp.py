"""Backward warp W (Eq. 3) and the resizing of flow fields."""

from typing import Literal

import cv2
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfhvd.ops.grid import pixel_grid, to_sampler
from selfhvd.ops.resize import plain, resized

Resampling = Literal["bilinear", "bicubic"]
_MOST, _MOST_CHANNELS = 32767, 4
"""Pixels a side of what OpenCV can read from; channels up to which it is faster."""
_COLOURS = 3
_BY = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


def warp(
    image: Float[Tensor, "batch channel height width"],
    flow: Float[Tensor, "batch xy=2 height width"],
    resampling: Resampling = "bilinear",
) -> Float[Tensor, "batch channel height width"]:
    """W(X, Φ)(p) = X(p + Φ(p)): bring `image` onto the grid on which `flow` is defined.

    Zeros outside the image; bicubic values may leave the image's range a little. Flow in pixels, (x, y).
    """
    points = pixel_grid(*image.shape[-2:], like=flow) + flow
    if _is_remapped(image, flow):
        return _remapped(image, points, _BY[resampling], cv2.BORDER_CONSTANT)
    return F.grid_sample(image, to_sampler(points), mode=resampling, padding_mode="zeros", align_corners=True)


def _is_remapped(image: Tensor, flow: Tensor) -> bool:
    return max(image.shape) <= _MOST and image.shape[1] <= _MOST_CHANNELS and plain(image) and plain(flow)


def _remapped(
    image: Float[Tensor, "batch channel height width"],
    points: Float[Tensor, "batch xy=2 height width"],
    how: int,
    beyond: int,
) -> Float[Tensor, "batch channel height width"]:
    """By OpenCV: on a CPU in half of torch's time."""
    read = torch.empty(*image.shape[:2], *points.shape[-2:])
    for picture, (x, y), filled in zip(image.numpy(), points.numpy(), read.numpy(), strict=True):
        if how == cv2.INTER_CUBIC and len(picture) == _COLOURS:  # the weights of a place are made once for all three
            cv2.split(cv2.remap(cv2.merge(list(picture)), x, y, how, borderMode=beyond), list(filled))
            continue
        for plane, seen in zip(picture, filled, strict=True):
            cv2.remap(plane, x, y, how, seen, borderMode=beyond)
    return read


def resize_flow(
    flow: Float[Tensor, "batch xy=2 h w"], height: int, width: int
) -> Float[Tensor, "batch xy=2 height width"]:
    """Resize a flow field to `height` x `width`: both the grid and the pixel values scale."""
    old_height, old_width = flow.shape[-2:]
    if (old_height, old_width) == (height, width):
        return flow
    larger = resized(flow, height, width, "bicubic")
    across, down = width / old_width, height / old_height
    if flow.device.type != "cpu":
        return torch.stack([across * larger[:, 0], down * larger[:, 1]], dim=1)
    return larger * flow.new_tensor([across, down]).view(1, 2, 1, 1)


def warp_clamped(
    image: Float[Tensor, "batch channel height width"],
    flow: Float[Tensor, "batch xy=2 height width"],
) -> Float[Tensor, "batch channel height width"]:
    """As `warp`, but outside the image its nearest border pixel is seen: for fields, which do not end at the border."""
    points = pixel_grid(*image.shape[-2:], like=flow) + flow
    if _is_remapped(image, flow):
        return _remapped(image, points, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    if image.device.type != "cpu":
        # The same by holding the places, for devices whose `grid_sample` knows no border.
        return F.grid_sample(image, to_sampler(points).clamp(-1, 1), align_corners=True)
    return F.grid_sample(image, to_sampler(points), mode="bilinear", padding_mode="border", align_corners=True)
