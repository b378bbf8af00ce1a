"""Does a sharp image, brought over and blurred as the blurry one was, show what that shows? Pixel by pixel (ours).

A flow that is consistent both ways may still be wrong: a pole drawn beside its place agrees with itself. The blurry
image is the witness: where the sharp one, blurred alike, differs from it, the sharp one is not to be trusted.
"""

from functools import cached_property

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfhvd.ops.flatness import mean_around

_AROUND = 9
"""Pixels a side over which images are compared (docs/ablations.md#explained._AROUND)."""
_LEAST = 1.5 / 255
"""Colour in [0, 1]; what differs by less is coding."""
_NOISES = 3.0
"""Standard deviations of the blurry image's noise, at half the size, that are noise still."""
_BRIGHT = 0.9
"""Colour from which on a light may have been brighter than white: how much it smears then is not known."""
_STREAK = 0.2
"""Code of the light from such lights in a place, from which on it tells nothing of the rest
(docs/ablations.md#explained._STREAK)."""
_LEFT = 0.05
"""Part of the sharp image's variance that a path which is nearly right leaves over
(docs/ablations.md#explained._LEFT)."""
_HALF = 0.7
"""Part of its variance that an image may be missed by where half of the trust is left
(docs/ablations.md#explained._HALF)."""
_STEEPNESS = 3
"""Power with which trust falls about there."""
_NO_LINE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
"""Zero on planes and straight edges, of weight one: what it leaves is noise (Immerkaer 1996)."""
_MAD_TO_SIGMA = 1.4826


class Witness:
    """The blurry image B, RGB in [0, 1], with what each sharp one is judged by, made when it is first asked for."""

    def __init__(self, blurry: Float[Tensor, "batch 3 height width"]) -> None:
        self.blurry = blurry

    @cached_property
    def noise(self) -> float | Float[Tensor, "batch 1 1"]:
        """Square of what differs by noise and coding alone."""
        return _noise_power(self.blurry)

    @cached_property
    def variance(self) -> Float[Tensor, "batch height width"]:
        """Mean of the channels' variances around each pixel."""
        return _variance(self.blurry)

    def explained(
        self,
        seen: Float[Tensor, "batch 3 height width"],
        sharp: Float[Tensor, "batch 3 height width"],
        glare: Float[Tensor, "batch 1 height width"],
    ) -> Float[Tensor, "batch 1 height width"]:
        """See `explained`."""
        light = torch.maximum(self.blurry, seen).amax(dim=1)
        dim = ((light < _BRIGHT) & (glare[:, 0] < _STREAK)).float()
        missed = mean_around(dim.mul_((self.blurry - seen).square_().mean(dim=1)), _AROUND)
        spread = _variance(sharp).mul_(_LEFT).add_(self.variance).add_(self.noise)
        part = missed.sub_(self.noise).clamp_(min=0).div_(spread)
        return part.div_(_HALF).pow_(_STEEPNESS).add_(1).reciprocal_()[:, None]


def explained(
    blurry: Float[Tensor, "batch 3 height width"],
    seen: Float[Tensor, "batch 3 height width"],
    sharp: Float[Tensor, "batch 3 height width"],
    glare: Float[Tensor, "batch 1 height width"],
) -> Float[Tensor, "batch 1 height width"]:
    """1 / (1 + (r / 0.7)³), r = mean (B - S̃)² / (var B + 0.05 var S) of 9x9 pixels: 1 where S̃ shows what B does.

    What a blur has wiped out cannot be told from B, and where its path is a little wrong so much of S is left in S̃.
    Lights tell nothing: they smear by what was cut off at white.

    Args:
        blurry: B, RGB in [0, 1].
        seen: S̃, which is S blurred as B was.
        sharp: S, on B's grid.
        glare: `lights` of S, blurred like it.
    """
    return Witness(blurry).explained(seen, sharp, glare)


def lights(sharp: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 1 height width"]:
    """1 where a light may be brighter than an image can say, else 0."""
    return (sharp.amax(dim=1, keepdim=True) >= _BRIGHT).to(sharp.dtype)


def _variance(image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch height width"]:
    """Mean of the channels' variances around each pixel."""
    mean = mean_around(image.flatten(0, 1), _AROUND).view_as(image)
    return mean_around(image.square().mean(dim=1), _AROUND).sub_(mean.square_().mean(dim=1)).clamp_(min=0)


def _noise_power(image: Float[Tensor, "batch 3 height width"]) -> float | Float[Tensor, "batch 1 1"]:
    """Square of what differs by noise and coding alone."""
    if image.device.type == "cpu" and len(image) == 1:
        return max(_LEAST, _NOISES * _noise(image)) ** 2
    return (_NOISES * noise_on_device(image)).clamp(min=_LEAST).square()[:, None, None]


def _noise(image: Float[Tensor, "1 3 height width"]) -> float:
    """Standard deviation at half the size, where coding has left some, of the mean of the channels."""
    grey = image[0].mean(dim=0).cpu().numpy()
    small = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return _MAD_TO_SIGMA * float(np.median(np.abs(cv2.filter2D(small, -1, _NO_LINE))))


def noise_on_device(image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, " batch"]:
    """The same in torch, of each image, without asking the device for it."""
    grey = F.avg_pool2d(image.mean(dim=1, keepdim=True), 2)
    p = F.pad(grey, (1, 1, 1, 1), mode="reflect")
    rows = p[..., :-2, :] - 2 * p[..., 1:-1, :] + p[..., 2:, :]
    left = (rows[..., :-2] - 2 * rows[..., 1:-1] + rows[..., 2:]) / 6
    return _MAD_TO_SIGMA * left.abs().flatten(1).median(dim=1).values
