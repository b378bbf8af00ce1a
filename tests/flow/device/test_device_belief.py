"""Paths are believed on a device as on the CPU: by detail, at full size, against the images without motion."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch
from made_pairs import Made, on_device

from selfhvd.flow.camera.exposure_fit import _level, _rescaled
from selfhvd.flow.camera.exposure_path import ExposureTrajectory, displacement
from selfhvd.flow.device.belief import explains
from selfhvd.flow.device.exposure import ExposurePair
from selfhvd.flow.device.level import Level
from selfhvd.flow.device.trajectory import Trajectories
from selfhvd.flow.device.units import Units
from selfhvd.ops.light import GAMMA

FINEST = 2, 720
"""Of the CPU's levels the last, and its longer side."""


@dataclass(frozen=True)
class Case:
    """What blurred an image, and a path told instead; pixels."""

    made: Made
    velocity: tuple[float, float]
    acceleration: tuple[float, float] = (0.0, 0.0)
    darkest: float = 1.0
    """Of a light that falls off over the picture."""
    softness: float = 0.0
    """Standard deviation of a low-pass."""

    def images(self, photo: np.ndarray) -> list[torch.Tensor]:
        """The blurry and the sharp one, linear light."""
        blurry, sharp = (image.pow(GAMMA).mean(dim=1, keepdim=True) for image in self.made.images(photo))
        if self.softness:
            blurry = torch.from_numpy(cv2.GaussianBlur(blurry[0, 0].numpy(), (0, 0), self.softness))[None, None]
        return [blurry * torch.linspace(self.darkest, 1.05, blurry.shape[-1]), sharp]

    @property
    def path(self) -> ExposureTrajectory:
        """With its mean where that of the blur is."""
        velocity, ours, theirs = (
            np.array([*way, 0, 0], np.float32) for way in (self.velocity, self.acceleration, self.made.acceleration)
        )
        middle = self.made.homography @ displacement((theirs - ours) / 24, self.made.size)
        return ExposureTrajectory(middle, velocity, ours)


MOVED = Made((5, 2), velocity=(8, -3))
FAR = Made((5, 2), velocity=(40, 12))
CASES = {
    "as it was": (Case(MOVED, (8, -3)), True),
    "too short to tell": (Case(Made((5, 2), velocity=(3, 1)), (1.9, 0)), False),
    "just long enough": (Case(Made((5, 2), velocity=(3, 1)), (2.1, 0)), True),
    "explains less than half": (Case(MOVED, (3.1, -1.2)), False),
    "explains more than half": (Case(MOVED, (4.4, -1.6)), True),
    "leaves too much detail": (Case(FAR, (14, 4.2)), False),
    "light that falls off": (Case(Made((5, 2), velocity=(5, -2)), (5, -2), darkest=0.5), True),
    "detail wider than the box": (Case(Made((5, 2), velocity=(60, 10)), (36, 6)), True),
    "no motion, but softness": (Case(Made((5, 2)), (2, 0), (0, 36), softness=0.7), False),
    "no motion": (Case(Made((5, 2)), (2, 0), (0, 24)), False),
    "short and turning": (Case(Made((5, 2), velocity=(11.5, 0), acceleration=(0, 40)), (11.5, 0), (0, 40)), True),
    "long and turning": (Case(Made((5, 2), velocity=(12.5, 0), acceleration=(0, 40)), (12.5, 0), (0, 40)), False),
}


@pytest.mark.parametrize("name", CASES)
def test_believed_as_on_the_cpu(photo, name):
    case, wanted = CASES[name]
    blurry, sharp = case.images(photo)
    fit, zoom, factor = _level(blurry[0, 0].numpy(), sharp[0, 0].numpy(), FINEST[0])
    assert fit.explains(_rescaled(case.path, zoom, factor)) == wanted
    assert explains(Level(blurry, sharp, FINEST[1]), on_device(case.path, blurry)).item() == wanted


def test_each_pair_has_detail_of_its_own_size(photo):
    """Of a short and a long path at once."""
    cases = [CASES[name][0] for name in ("as it was", "detail wider than the box", "leaves too much detail")]
    images = [torch.cat(parts) for parts in zip(*(case.images(photo) for case in cases), strict=True)]
    paths = [on_device(case.path, images[0]) for case in cases]
    together = Trajectories(
        *(torch.cat([getattr(p, part) for p in paths]) for part in ("middle", "velocity", "acceleration", "lead"))
    )
    assert explains(Level(images[0], images[1], FINEST[1]), together).tolist() == [True, True, False]


def test_a_path_is_judged_at_full_size(photo):
    """At half of it three pixels would be too few to tell."""
    case = Case(Made((5, -3), 1.0, (3, 1), size=(480, 272)), (0, 0))
    blurry, sharp = case.images(photo)
    start = Units.of(blurry).from_pixels(torch.from_numpy(case.made.homography).float()[None])
    assert ExposurePair(blurry, sharp).trajectories(start).holds.all()
