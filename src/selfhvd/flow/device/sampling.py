"""What is between the pixels, at places from an image's centre, on every device."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.ops.grid import pixel_grid

_PADDING = {"bilinear": "zeros", "bicubic": "border"}
Places = Float[Tensor, "batch xy=2 row column"]


class Sampler:
    """Reads images of one size; what does not change from call to call is on the device already.

    Args:
        height: of the images, pixels.
        width: of the images, pixels.
        scale: pixels right and down that a unit of the places is.
        like: of the device and the kind of numbers.
    """

    def __init__(self, height: int, width: int, scale: tuple[float, float], like: Tensor) -> None:
        sides = zip(scale, (width, height), strict=True)
        # `grid_sample` has the centre at 0 and the border pixels at -1 and 1.
        self._half = torch.stack([torch.full_like(like.flatten()[0], 2 * k / max(side - 1, 1)) for k, side in sides])

    def __call__(
        self,
        planes: Float[Tensor, "batch plane height width"],
        places: Places,
        between: Literal["bilinear", "bicubic"] = "bilinear",
    ) -> Float[Tensor, "batch plane row column"]:
        """Values at `places`, units from the centre; beyond the image those of its nearest border pixel."""
        grid = self._normal(places).nan_to_num(nan=0.0).clamp(-1, 1)
        return F.grid_sample(planes, grid, mode=between, padding_mode=_PADDING[between], align_corners=True)

    def within(self, places: Places) -> Bool[Tensor, "batch 1 row column"]:
        """Which places lie in the image."""
        return (self._normal(places).abs() <= 1).all(dim=-1)[:, None]

    def _normal(self, places: Places) -> Float[Tensor, "batch row column xy=2"]:
        return places.movedim(1, -1) * self._half


def centred(like: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "xy=2 height width"]:
    """Pixels from the centre."""
    x, y = pixel_grid(*like.shape[-2:], like=like)
    return torch.stack([x - (like.shape[-1] - 1) / 2, y - (like.shape[-2] - 1) / 2])
