"""Sharpness v_l (Eq. 1): the variance of the Laplacian."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def laplacian_variance(image: Float[Tensor, "batch channel height width"]) -> Float[Tensor, " batch"]:
    """v_l(I) = var(I * [[0, 1, 0], [1, -4, 1], [0, 1, 0]]) over all pixels and channels, on values of 0..255.

    `image` is in [0, 1]. Borders are mirrored without repeating the edge (OpenCV's default), all channels count
    together as in the authors' script; pass one channel for the grey variant.
    """
    batch, channel, height, width = image.shape
    planes = (255 * image).reshape(batch * channel, 1, height, width)
    padded = (
        F.pad(planes, (1, 1, 1, 1), mode="reflect")
        if min(height, width) > 1
        else F.pad(planes, (1, 1, 1, 1), mode="replicate")
    )
    centre = padded[..., 1:-1, 1:-1]
    laplacian = (
        padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1] + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:] - 4 * centre
    )
    return laplacian.reshape(batch, -1).var(dim=1, correction=0)
