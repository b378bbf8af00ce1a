"""Places in an image in units that no size changes: from its centre, in halves of its diagonal.

So a homography or a path found on a small image is that of the large one.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.device.sampling import Sampler
from selfhvd.ops.grid import pixel_grid
from selfhvd.ops.solve import inverted

Homographies = Float[Tensor, "pair 3 3"]


@dataclass(frozen=True)
class Units:
    """Between pixels of an image of one size, reduced from a full one, and units; pixels are squares."""

    height: int
    width: int
    full: tuple[int, int]
    """Height and width of the full image."""

    @staticmethod
    def of(image: Tensor) -> "Units":
        """Those of a full image `... height width`."""
        size = (image.shape[-2], image.shape[-1])
        return Units(*size, size)

    @property
    def unit(self) -> float:
        """Pixels along a half of the diagonal."""
        return 0.5 * math.hypot(self.height, self.width)

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels right and down that a unit is: almost alike."""
        whole = 0.5 * math.hypot(*self.full)
        return whole * self.width / self.full[1], whole * self.height / self.full[0]

    def places(self, like: Tensor, step: int = 1) -> Float[Tensor, "xy=2 row column"]:
        """Units of every pixel, or of every `step`-th one, the first of them half a step from the border."""
        grid = pixel_grid(self.height, self.width, like=like)[:, step // 2 :: step, step // 2 :: step]
        (x, y), (across, down), (right, below) = grid, self.scale, self._centre
        return torch.stack([(x - right) / across, (y - below) / down])

    def pixels(self, ways: Float[Tensor, "*batch xy=2 row column"]) -> Float[Tensor, "*batch xy=2 row column"]:
        """Ways in units as ways in pixels."""
        (x, y), (across, down) = ways.unbind(-3), self.scale
        return torch.stack([across * x, down * y], dim=-3)

    def sampler(self, like: Tensor) -> Sampler:
        """Reads images of this size at places in units."""
        return Sampler(self.height, self.width, self.scale, like)

    def to_pixels(self, matrix: Homographies) -> Homographies:
        """Homographies between units as those between pixels; the last element is 1."""
        out = constant(self._matrix(), matrix)
        found = out @ matrix @ inverted(out[None])
        return found / found[:, 2:, 2:]

    def from_pixels(self, matrix: Homographies) -> Homographies:
        """Homographies between pixels as those between units; the last element is 1."""
        out = constant(self._matrix(), matrix)
        found = inverted(out[None]) @ matrix @ out
        return found / found[:, 2:, 2:]

    def _matrix(self) -> list[list[float]]:
        (x, y), (right, below) = self.scale, self._centre
        return [[x, 0.0, right], [0.0, y, below], [0.0, 0.0, 1.0]]

    @property
    def _centre(self) -> tuple[float, float]:
        return (self.width - 1) / 2, (self.height - 1) / 2


def constant(rows: list[list[float]], like: Tensor) -> Float[Tensor, "row column"]:
    """A matrix of the host's numbers, made on the device: a copy of one made on the host would be waited for."""
    value = like.flatten()[0]
    return torch.stack([torch.stack([torch.full_like(value, number) for number in row]) for row in rows])


def mapped(matrix: Homographies, places: Float[Tensor, "xy=2 row column"]) -> Float[Tensor, "pair xy=2 row column"]:
    """Where homographies lead from places."""
    ends = torch.einsum("bij,jhw->bihw", matrix, torch.cat([places, torch.ones_like(places[:1])]))
    return ends[:, :2] / ends[:, 2:]


def is_plausible(matrix: Homographies, units: Units) -> Bool[Tensor, " pair"]:
    """A hand neither folds an image nor shrinks it to half: corners stay in order and of like depth."""
    height, width = float(units.height), float(units.width)
    corners = constant([[0.0, 0.0, 1.0], [width, 0.0, 1.0], [width, height, 1.0], [0.0, height, 1.0]], matrix)
    ends = corners @ units.to_pixels(matrix).mT
    depth = ends[..., 2]
    x, y = (ends[..., :2] / ends[..., 2:]).unbind(-1)
    area = 0.5 * (x * y.roll(1, dims=1) - y * x.roll(1, dims=1)).sum(dim=1).abs() / (width * height)
    return ends.isfinite().all(dim=2).all(dim=1) & ((depth > 0.5) & (depth < 2)).all(dim=1) & (area > 0.5) & (area < 2)
