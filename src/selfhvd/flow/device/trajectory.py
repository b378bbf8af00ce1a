"""How the image moves while the shutter is open, of many pairs at once: `ExposureTrajectory` on a device."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.camera.exposure_path import MEAN_OF_TURN
from selfhvd.flow.device.units import Homographies, Units
from selfhvd.ops.light import GAMMA

INSTANTS = 25
"""Moments at which each exposure is looked at: on a device their number cannot hang on what is found."""
_AT_ONCE = 5
"""Of them read together: fewer, larger steps for the device, in no more memory than a few images take."""
Motions = Float[Tensor, "pair kind=4"]
"""Units of shift right, shift down, rotation and growth, the last two as seen half a diagonal from the centre."""


@dataclass(frozen=True)
class Trajectories:
    """p + τ velocity + (τ²/2 - lead) acceleration, τ from -½ to ½, of each pair; all in units (`Units`)."""

    middle: Homographies
    """From the blurry image, half way through, to the sharp one."""
    velocity: Motions
    """Units an exposure."""
    acceleration: Motions
    """Units an exposure, squared."""
    lead: Float[Tensor, " pair"]
    """Of the acceleration, how far `middle` lies from half way through towards the mean of the path; see `centred`."""

    @staticmethod
    def still(middle: Homographies) -> "Trajectories":
        """No motion at all."""
        none = middle.new_zeros(len(middle), 4)
        return Trajectories(middle, none, none, none[:, 0])

    def __getitem__(self, pairs: slice) -> "Trajectories":
        return Trajectories(self.middle[pairs], self.velocity[pairs], self.acceleration[pairs], self.lead[pairs])

    @property
    def extent(self) -> Float[Tensor, " pair"]:
        """How far the image's worst place gets in an exposure at even speed, units (about)."""
        return extent(self.velocity)

    @property
    def length(self) -> Float[Tensor, " pair"]:
        """The same with the way there and back that the acceleration adds."""
        return self.extent + extent(self.acceleration) / 4

    def where(self, chosen: Bool[Tensor, " pair"], other: "Trajectories") -> "Trajectories":
        """These where they are chosen, `other` elsewhere."""
        return Trajectories(
            torch.where(chosen[:, None, None], self.middle, other.middle),
            torch.where(chosen[:, None], self.velocity, other.velocity),
            torch.where(chosen[:, None], self.acceleration, other.acceleration),
            torch.where(chosen, self.lead, other.lead),
        )

    def centred(self, share: Float[Tensor, " pair"]) -> "Trajectories":
        """The same paths, each `middle` moved by a share, 0..1, of the way from half way through to its mean place."""
        lead = share * MEAN_OF_TURN
        moved = self.middle @ displacement((lead - self.lead)[:, None] * self.acceleration)
        return replace(self, middle=moved / moved[:, 2:, 2:], lead=lead)

    def is_like(self, other: "Trajectories", units: Units) -> Bool[Tensor, " pair"]:
        """Whether both blur alike: the same way, there or back, to a pixel; no motion at all is no way."""
        way = torch.minimum(extent(self.velocity - other.velocity), extent(self.velocity + other.velocity))
        bent = MEAN_OF_TURN * extent(self.acceleration - other.acceleration)
        return (torch.minimum(self.extent, other.extent) > 0) & (torch.maximum(way, bent) * units.unit < 1)

    def blurred(self, image: Float[Tensor, "pair channel height width"]) -> Float[Tensor, "pair channel height width"]:
        """Images, sharp and on the blurry ones' grid, as the open shutter would have seen them; RGB in [0, 1]."""
        units = Units.of(image)
        linear, places, read = image.clamp(0, 1).pow(GAMMA), units.places(image), units.sampler(image)
        seen, moves = torch.zeros_like(linear), kinds(places)
        for ways in self.ways(moments(linear)).split(_AT_ONCE, dim=1):
            at = places[:, None] + torch.einsum("bnk,kxhw->bxnhw", ways, moves)
            seen += read(linear, at.flatten(2, 3)).unflatten(2, (ways.shape[1], -1)).sum(dim=2)
        codes = (seen / INSTANTS).clamp(0, 1).pow(1 / GAMMA)
        return torch.where((self.extent > 0)[:, None, None, None], codes, image)

    def ways(self, tau: Float[Tensor, " moment"]) -> Float[Tensor, "pair moment kind=4"]:
        """How the image has moved at moments τ."""
        at = tau[:, None]
        turned = 0.5 * at * at - self.lead[:, None, None]
        return at * self.velocity[:, None] + turned * self.acceleration[:, None]


def moments(like: Tensor, count: int = INSTANTS) -> Float[Tensor, " moment"]:
    """τ, spread over an exposure."""
    return (torch.arange(count, device=like.device, dtype=like.dtype) + 0.5) / count - 0.5


def extent(motion: Motions) -> Float[Tensor, " pair"]:
    """How far the worst place of an image moves, units (about)."""
    return torch.hypot(motion[:, 0], motion[:, 1]) + torch.hypot(motion[:, 2], motion[:, 3])


def displacement(motion: Motions) -> Homographies:
    """From places to where motions take them."""
    right, down, turn, growth = motion.unbind(1)
    none, one = torch.zeros_like(right), torch.ones_like(right)
    rows = [(1 + growth, -turn, right), (turn, 1 + growth, down), (none, none, one)]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def kinds(places: Float[Tensor, "xy=2 row column"]) -> Float[Tensor, "kind=4 xy=2 row column"]:
    """Which way each place goes by a unit of shift right, shift down, rotation and growth."""
    x, y = places
    one, none = torch.ones_like(x), torch.zeros_like(x)
    ways = [(one, none), (none, one), (-y, x), (x, y)]
    return torch.stack([torch.stack(way) for way in ways])
