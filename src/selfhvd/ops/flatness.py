"""Where a picture is flat, as a bare wall: nothing but noise to see, nothing for a flow to hold on to."""

import cv2
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfhvd.ops.area import area_reduced
from selfhvd.ops.resize import plain

_NO_DETAIL = 2.0 / 255**2
"""Squared Laplacian below which there is only noise."""
_FLAT = 7.0 / 255**2
"""And how far above it a place may still be flat: with 5 and 10 noisy clips come out the same within 0.05 dB."""


def detail(image: Float[Tensor, "3 height width"]) -> Float[Tensor, "1 height width"]:
    """Mean squared Laplacian of 15x15 pixels, grey and low-passed, so that noise counts for little; above zero."""
    return mean_around(_squared_laplacian(image), 15) + _NO_DETAIL


def detail_reduced(image: Float[Tensor, "3 height width"], size: tuple[int, int]) -> Float[Tensor, "1 h w"]:
    """The same on a picture of `size`, each pixel the mean of what it covers and of those around it; much cheaper."""
    return mean_around(area_reduced(_squared_laplacian(image), *size), 3) + _NO_DETAIL


def _squared_laplacian(image: Float[Tensor, "3 height width"]) -> Float[Tensor, "1 height width"]:
    grey = mean_around(_grey(image), 3)
    if plain(grey):
        laplacian = cv2.Laplacian(grey[0].numpy(), cv2.CV_32F, borderType=cv2.BORDER_REPLICATE)
        return torch.from_numpy(cv2.multiply(laplacian, laplacian))[None]
    centre = F.pad(grey[None], (1, 1, 1, 1), mode="replicate")[0]
    around = centre[:, :-2, 1:-1] + centre[:, 2:, 1:-1] + centre[:, 1:-1, :-2] + centre[:, 1:-1, 2:]
    return (around - 4 * grey) ** 2


def _grey(image: Float[Tensor, "3 height width"]) -> Float[Tensor, "1 height width"]:
    """The mean of the channels."""
    if not plain(image):
        return image.mean(dim=0, keepdim=True)
    red, green, blue = image.numpy()
    return torch.from_numpy(cv2.addWeighted(cv2.add(red, green), 1 / 3, blue, 1 / 3, 0))[None]


def flatness(detail: Float[Tensor, "1 height width"]) -> Float[Tensor, "1 height width"]:
    """1 where there is nothing but noise, 0 where there is something to see."""
    return torch.exp((_NO_DETAIL - detail) / _FLAT)


def mean_around(image: Float[Tensor, "channel height width"], side: int) -> Float[Tensor, "channel height width"]:
    """Of `side` x `side` pixels around each, as far as there are any; `side` is odd.

    On the CPU by running sums, which cost the same whatever the side: of 15x15 pixels a twentieth of torch's time.
    """
    if image.device.type != "cpu" or image.requires_grad or image.dtype != torch.float32:
        return F.avg_pool2d(image[None], side, stride=1, padding=side // 2, count_include_pad=False)[0]
    mean = torch.empty(image.shape)
    for plane, filled in zip(image.numpy(), mean.numpy(), strict=True):
        cv2.boxFilter(plane, -1, (side, side), filled, normalize=True, borderType=cv2.BORDER_CONSTANT)
    for axis in (1, 2):
        beyond = side / _pixels_within(image.shape[axis], side)
        border = torch.nonzero(beyond != 1)[:, 0]
        mean.index_copy_(axis, border, mean.index_select(axis, border) * _along(beyond[border], axis))
    return mean


def _pixels_within(length: int, side: int) -> Float[Tensor, " length"]:
    """How many of the `side` pixels around each of a line lie on it."""
    place = torch.arange(length)
    return ((place + side // 2).clamp(max=length - 1) - (place - side // 2).clamp(min=0) + 1).float()


def _along(factors: Float[Tensor, " n"], axis: int) -> Tensor:
    return factors[None, :, None] if axis == 1 else factors[None, None, :]
