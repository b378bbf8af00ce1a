"""Sharpness v_l (Eq. 1): the variance of the Laplacian; and how much of it is noise."""

import torch
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


_MEDIAN_OF_NORMAL = 0.6745
"""Of |x|, of unit variance."""
_ROUNDING = 0.51
"""Half a code value, the least difference there can be, in the median says nothing yet."""
_LAPLACIAN_OF_NOISE = 20.0
"""v_l of white noise of unit variance: the sum of the kernel's squares."""


def noise_share(image: Float[Tensor, "batch channel height width"]) -> Float[Tensor, " batch"]:
    """The part of v_l that white noise of the image's own strength would give by itself; 0 = none (ours).

    σ is the median of the finest diagonal differences (Donoho and Johnstone 1994), which edges hardly touch; what
    rounding to 8 bits may give alone is none. `image` is in [0, 1]; images too small for a difference have none.
    """
    height, width = (side // 2 * 2 for side in image.shape[-2:])
    if min(height, width) == 0:
        return torch.zeros(image.shape[0])
    a, b, c, d = (255 * image[..., y:height:2, x:width:2] for y in (0, 1) for x in (0, 1))
    middle = ((a - b - c + d) / 2).abs().flatten(2).median(dim=-1).values
    sigma = middle * (middle > _ROUNDING) / _MEDIAN_OF_NORMAL
    return _LAPLACIAN_OF_NOISE * sigma.square().mean(dim=1) / laplacian_variance(image).clamp(min=1e-9)
