"""Two images of each pair at one size, and how well a path leads from one to the other, at places on a grid."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.camera import exposure_model as model
from selfhvd.flow.device.trajectory import INSTANTS, Trajectories, kinds, moments
from selfhvd.flow.device.units import Homographies, Units, mapped
from selfhvd.ops.area import area_reduced
from selfhvd.ops.order import quantile_where

Image = Float[Tensor, "pair 1 height width"]
Sampled = Float[Tensor, "pair place"]
"""Values at the places on a grid, coarser than the pixels, where images are compared."""
Known = Bool[Tensor, "pair place"]

_BORDER = 2
"""Pixels at the border of the blurry image that are not compared."""
_SMOOTH = 0.7
"""Standard deviation, pixels, of the low-pass after reducing."""


@dataclass(frozen=True)
class Seen:
    """What an exposure of the sharp image shows at the places, and which way its values go there."""

    values: Sampled
    known: Known
    slopes: Float[Tensor, "weight=3 pair xy place"]
    """A pixel; means over the exposure weighted by 1, τ and τ²/2. Without axes where no slopes were brought over."""


class Level:
    """Pairs of images, reduced to a size, mean of the channels; `units` leads to it from the full ones."""

    def __init__(self, blurry: Image, sharp: Image, longest: int) -> None:
        full = (blurry.shape[-2], blurry.shape[-1])
        part = min(1.0, longest / max(full))
        height, width = (max(8, round(side * part)) for side in full)
        self.units = Units(height, width, full)
        self.blurry, self.sharp = (_low_passed(area_reduced(image, height, width)) for image in (blurry, sharp))
        self._step = max(1, round(max(height, width) / model.SAMPLES))
        self._read = self.units.sampler(blurry)
        self.grid = self.units.places(blurry)
        self.places = self.units.places(blurry, self._step)
        self.target: Sampled = self.at_places(self.blurry)[:, 0]
        inner = F.pad(torch.ones_like(self.blurry[:1, :, _BORDER:-_BORDER, _BORDER:-_BORDER]), (_BORDER,) * 4)
        self._inner: Known = self.at_places(inner)[:, 0] > 0
        self.moves = kinds(self.places).flatten(2)
        self.poses = _poses(self.places).flatten(2)

    def brought(self, middle: Homographies) -> Float[Tensor, "pair plane=4 height width"]:
        """The sharp images on the blurry ones' grid, where they are known (0..1), and their slopes, a pixel."""
        ends = mapped(middle, self.grid)
        image = self._read(self.sharp, ends, "bicubic")
        return torch.cat([image, self._read.within(ends).to(image), *slopes(image)], dim=1)

    def exposed(
        self, brought: Float[Tensor, "pair plane height width"], path: Trajectories, count: int = INSTANTS
    ) -> Seen:
        """The mean over the path, where all of it is known; `count` moments of it are looked at."""
        tau = moments(brought, count)
        at = self.places.flatten(1)[:, None] + torch.einsum("bnk,kxq->bxnq", path.ways(tau), self.moves)
        seen = self._read(brought, at)
        held = torch.einsum("wn,bpnq->wbpq", torch.stack([torch.ones_like(tau), tau, 0.5 * tau * tau]) / count, seen)
        return Seen(held[0, :, 0], (held[0, :, 1] > model.WHOLLY_KNOWN) & self._inner, held[:, :, 2:])

    def shown(self, brought: Float[Tensor, "pair plane height width"]) -> Seen:
        """The same without any motion."""
        held = self.at_places(brought)
        slopes = torch.stack([held[:, 2:], *[torch.zeros_like(held[:, 2:])] * 2])
        return Seen(held[:, 0], (held[:, 1] > model.WHOLLY_KNOWN) & self._inner, slopes)

    def disagreement(self, seen: Seen, target: Sampled) -> Float[Tensor, " pair"]:
        """1 - correlation of the places that agree best; neither gain nor offset changes it; 0 is the same image."""
        likely = seen.known
        for _ in range(2):
            gain, offset = _line(seen.values, target, likely)
            rest = (gain * seen.values + offset - target).abs()
            likely = seen.known & (rest <= quantile_where(rest, seen.known, model.LIKELY)[:, None])
        _, _, alike = _moments(seen.values, target, likely)
        overlaps = seen.known.float().mean(dim=1) >= model.LEAST_OVERLAP
        return torch.where(overlaps, 1 - alike, torch.inf).nan_to_num(nan=torch.inf)

    def at_places(self, planes: Float[Tensor, "batch plane height width"]) -> Float[Tensor, "batch plane place"]:
        """Values at the places where images are compared."""
        step = self._step
        return planes[..., step // 2 :: step, step // 2 :: step].flatten(2)


def slopes(image: Image) -> tuple[Image, Image]:
    """Right and down, a pixel, by Sobel's operator; the border is repeated."""
    p = F.pad(image, (1, 1, 1, 1), mode="replicate")
    across = p[..., 2:] - p[..., :-2]
    down = p[..., 2:, :] - p[..., :-2, :]
    x = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
    y = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return x / 8, y / 8


def _low_passed(image: Image) -> Image:
    tap = [2.718281828 ** (-(k * k) / (2 * _SMOOTH**2)) for k in range(-3, 4)]
    taps = [weight / sum(tap) for weight in tap]
    p = F.pad(image, (3, 3, 3, 3), mode="reflect")
    height, width = image.shape[-2:]
    rows = sum(weight * p[..., k : k + height, :] for k, weight in enumerate(taps))
    assert isinstance(rows, Tensor)
    columns = sum(weight * rows[..., k : k + width] for k, weight in enumerate(taps))
    assert isinstance(columns, Tensor)
    return columns


def _poses(places: Float[Tensor, "xy=2 row column"]) -> Float[Tensor, "pose=8 xy=2 row column"]:
    """Which way each place goes by a unit of each of a homography's freedoms."""
    x, y = places
    one, none = torch.ones_like(x), torch.zeros_like(x)
    ways = [(one, none), (none, one), (x, none), (y, none), (none, x), (none, y), (x * x, x * y), (x * y, y * y)]
    return torch.stack([torch.stack(way) for way in ways])


def _line(values: Sampled, target: Sampled, counts: Known) -> tuple[Float[Tensor, "pair 1"], Float[Tensor, "pair 1"]]:
    """Gain and offset that bring `values` nearest to `target`."""
    spread, together, _ = _moments(values, target, counts)
    share = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
    gain = (together / spread.clamp(min=1e-12))[:, None]
    return gain, (share * (target - gain * values)).sum(dim=1, keepdim=True)


def _moments(
    values: Sampled, target: Sampled, counts: Known
) -> tuple[Float[Tensor, " pair"], Float[Tensor, " pair"], Float[Tensor, " pair"]]:
    """Variance of `values`, covariance, and correlation, -infinity where there is nothing to compare."""
    share = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
    one, other = (v - (share * v).sum(dim=1, keepdim=True) for v in (values, target))
    spread, theirs, together = ((share * a * b).sum(dim=1) for a, b in ((one, one), (other, other), (one, other)))
    blank = torch.minimum(spread, theirs) < 1e-8
    alike = torch.where(blank, -torch.inf, together * (spread * theirs).clamp(min=1e-20).rsqrt())
    return spread, together, alike
