"""How the image moves while the shutter is open, and what that does to a sharp image (ours)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.flow.camera.homography import Homography
from selfhvd.ops.light import GAMMA

LinearLight = Float[np.ndarray, "height width"]
"""Linear, in [0, 1], mean of the channels."""
Motion = Float[np.ndarray, "kind=4"]
"""Pixels of shift right, shift down, rotation and growth, the last two as seen half a diagonal from the centre."""

MEAN_OF_TURN = 1 / 24
"""Mean of τ²/2 over the exposure."""


@dataclass(frozen=True)
class ExposureTrajectory:
    """How the image moved while the shutter was open: p + τ velocity + (τ²/2 - lead) acceleration, τ from -½ to ½."""

    middle: Homography
    """From pixels of the blurry image, half way through, to pixels of the sharp one."""
    velocity: Motion
    """Pixels an exposure."""
    acceleration: Motion
    """Pixels an exposure, squared."""
    lead: float = 0.0
    """Of the acceleration, how far `middle` lies from half way through towards the mean of the path; see `centred`."""

    @staticmethod
    def still(middle: Homography) -> "ExposureTrajectory":
        """No motion at all."""
        return ExposureTrajectory(middle, np.zeros(4, np.float32), np.zeros(4, np.float32))

    @property
    def blur_extent(self) -> float:
        """How far the image's worst place gets in an exposure at even speed, pixels (about)."""
        return extent(self.velocity)

    @property
    def length(self) -> float:
        """The same with the way there and back that the acceleration adds."""
        return self.blur_extent + extent(self.acceleration) / 4

    def centred(self, size: tuple[int, int], share: float) -> "ExposureTrajectory":
        """The same path, its `middle` moved by a `share`, 0..1, of the way from half way through to its mean place.

        `size`: of the image, width and height.
        """
        lead = share * MEAN_OF_TURN
        moved = self.middle @ displacement((lead - self.lead) * self.acceleration, size)
        return replace(self, middle=moved / moved[2, 2], lead=lead)

    def is_like(self, other: "ExposureTrajectory") -> bool:
        """Whether both blur alike: the same way, there or back, to a pixel; no motion at all is no way."""
        there, back = (extent(self.velocity - sign * other.velocity) for sign in (1, -1))
        bent = MEAN_OF_TURN * extent(self.acceleration - other.acceleration)
        return min(self.blur_extent, other.blur_extent) > 0 and max(min(there, back), bent) < 1

    def blurred(self, image: Float[Tensor, "1 channel height width"]) -> Float[Tensor, "1 channel height width"]:
        """`image`, sharp and on the blurry one's grid, as the open shutter would have seen it; RGB in [0, 1]."""
        if self.blur_extent == 0:
            return image
        height, width = image.shape[-2:]
        linear = image[0].clamp(0, 1).pow(GAMMA).permute(1, 2, 0).cpu().contiguous().numpy()
        seen, share = np.zeros_like(linear), 1 / instant_count(self.length)
        for _, way in self.instants():
            cv2.scaleAdd(sampled(linear, displacement(way, (width, height)), (width, height)), share, seen, seen)
        codes = torch.from_numpy(seen).pow(1 / GAMMA)
        return codes.permute(2, 0, 1)[None].to(image)

    def instants(self) -> Iterator[tuple[float, Motion]]:
        """τ and how the image has moved then, at moments spread over the exposure."""
        count = instant_count(self.length)
        for k in range(count):
            tau = (k + 0.5) / count - 0.5
            yield tau, tau * self.velocity + (0.5 * tau * tau - self.lead) * self.acceleration


def linear_light(image: Float[Tensor, "1 3 height width"]) -> LinearLight:
    """What an open shutter adds up; RGB in [0, 1] in.

    Channel by channel: a mean of codes made linear does not add up like light, and an edge between colours would seem
    to have moved (docs/ablations.md#shutter.light).
    """
    linear = image[0].clamp(0, 1).pow(GAMMA).mean(dim=0)
    return linear.cpu().numpy().astype(np.float32)


def extent(motion: Motion) -> float:
    """How far the worst place of an image moves, pixels (about)."""
    return math.hypot(*motion[:2]) + math.hypot(*motion[2:])


def instant_count(reach: float) -> int:
    """Moments at which an exposure of which the path is `reach` pixels long is looked at; without a path, one."""
    if reach == 0:
        return 1
    return int(np.clip(2 * math.ceil(reach / 4) + 3, 5, 25))


def displacement(motion: Motion, size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """From pixels of an image of `size` (width, height) to where `motion` takes them."""
    (right, down, turn, growth), (x, y) = motion.tolist(), ((side - 1) / 2 for side in size)
    turn, growth = (part / (0.5 * math.hypot(*size)) for part in (turn, growth))
    across, along = right - growth * x + turn * y, down - turn * x - growth * y
    return np.array([[1 + growth, -turn, across], [turn, 1 + growth, along], [0, 0, 1]])


def sampled(
    planes: Float[np.ndarray, "height width plane"], places: Float[np.ndarray, "3 3"], size: tuple[int, int]
) -> Float[np.ndarray, "row column plane"]:
    """What is where `places` leads from the pixels of an image of `size`."""
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(planes, places[:2], size, flags=how, borderMode=cv2.BORDER_REPLICATE)
