"""Means over parts of an image on every device: smaller sizes, as OpenCV's INTER_AREA, and boxes around each pixel."""

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.ops.resize import plain


def area_reduced(image: Float[Tensor, "*batch h w"], height: int, width: int) -> Float[Tensor, "*batch height width"]:
    """Means of the parts of the image that lie under the squares of a coarser grid; as it is where sizes agree."""
    if image.shape[-2:] == (height, width):
        return image
    if plain(image):
        planes = image.reshape(-1, *image.shape[-2:]).numpy()
        small = np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in planes])
        return torch.from_numpy(small).view(*image.shape[:-2], height, width)
    rows, columns = _cover(image.shape[-2], height, image), _cover(image.shape[-1], width, image)
    return rows @ image @ columns.T


def means_around(image: Float[Tensor, "*batch h w"], reach: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch h w"]:
    """Of the pixels up to `reach` rows and columns from each, as far as there are any, told on the device."""
    rows, columns = (_around(side, reach) for side in image.shape[-2:])
    return rows @ image @ columns.mT


def _around(length: int, reach: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch length length"]:
    """Which of `length` pixels count for each of them, and how much; rows sum to 1."""
    pixel = torch.arange(length, device=reach.device, dtype=reach.dtype)
    near = ((pixel[:, None] - pixel).abs() <= reach[..., None, None]).to(reach)
    return near / near.sum(dim=-1, keepdim=True)


def _cover(length: int, parts: int, like: Tensor) -> Float[Tensor, "parts length"]:
    """How much of each of `length` pixels lies in each of `parts` equal parts of the line; rows sum to 1."""
    step = length / parts
    begin = step * torch.arange(parts, device=like.device, dtype=like.dtype)[:, None]
    pixel = torch.arange(length, device=like.device, dtype=like.dtype)
    inside = torch.minimum(begin + step, pixel + 1) - torch.maximum(begin, pixel)
    return inside.clamp(min=0) / step
