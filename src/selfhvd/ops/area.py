"""Smaller sizes of an image, each pixel the mean of what it covers: OpenCV's INTER_AREA on every device."""

import torch
from jaxtyping import Float
from torch import Tensor


def area_reduced(image: Float[Tensor, "*batch h w"], height: int, width: int) -> Float[Tensor, "*batch height width"]:
    """Means of the parts of the image that lie under the squares of a coarser grid; as it is where sizes agree."""
    if image.shape[-2:] == (height, width):
        return image
    rows, columns = _cover(image.shape[-2], height, image), _cover(image.shape[-1], width, image)
    return rows @ image @ columns.T


def _cover(length: int, parts: int, like: Tensor) -> Float[Tensor, "parts length"]:
    """How much of each of `length` pixels lies in each of `parts` equal parts of the line; rows sum to 1."""
    step = length / parts
    begin = step * torch.arange(parts, device=like.device, dtype=like.dtype)[:, None]
    pixel = torch.arange(length, device=like.device, dtype=like.dtype)
    inside = torch.minimum(begin + step, pixel + 1) - torch.maximum(begin, pixel)
    return inside.clamp(min=0) / step
