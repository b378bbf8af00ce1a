"""Pairs of images whose motion is known: a sharp view of a photo, and one that is turned and exposed on the move."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from selfhvd.flow.camera.exposure_path import ExposureTrajectory
from selfhvd.flow.device.trajectory import Trajectories
from selfhvd.flow.device.units import Units

GAMMA = 2.2
STEPS = 31


@dataclass(frozen=True)
class Made:
    """How the blurry view lies to the sharp one, half way through its exposure, and how it moves meanwhile."""

    shake: tuple[float, float]
    """Pixels."""
    degrees: float = 0.0
    velocity: tuple[float, float] = (0.0, 0.0)
    """Pixels an exposure."""
    acceleration: tuple[float, float] = (0.0, 0.0)
    """Pixels an exposure, squared."""
    size: tuple[int, int] = (240, 136)
    """Width and height, pixels."""

    @property
    def homography(self) -> np.ndarray:
        """From pixels of the blurry image to those of the sharp one."""
        x, y = ((side - 1) / 2 for side in self.size)
        cos, sin = np.cos(np.radians(self.degrees)), np.sin(np.radians(self.degrees))
        turn = np.array([[cos, -sin, self.shake[0]], [sin, cos, self.shake[1]], [0, 0, 1]])
        return _to(x, y) @ turn @ _to(-x, -y)

    @property
    def led(self) -> np.ndarray:
        """The same to where a camera leads: the shorter the path, the nearer to the mean of its places."""
        doubt = float(np.clip((12 - np.hypot(*self.velocity)) / 6, 0, 1)) if any(self.velocity) else 0.0
        return self.homography @ _to(*(doubt / 24 * part for part in self.acceleration))

    def images(self, photo: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """The blurry and the sharp one, in 8 bits."""
        light = (photo / 255.0).astype(np.float32) ** GAMMA
        corner = _to((photo.shape[1] - self.size[0]) / 2, (photo.shape[0] - self.size[1]) / 2)
        taus = (np.arange(STEPS) + 0.5) / STEPS - 0.5
        ways = [[t * v + 0.5 * t * t * a for v, a in zip(self.velocity, self.acceleration, strict=True)] for t in taus]
        ways = ways if any(self.velocity) else [[0.0, 0.0]]
        blurry = np.mean([self._view(light, corner @ self.homography @ _to(*way)) for way in ways], axis=0)
        return _codes(blurry), _codes(self._view(light, corner))

    def _view(self, light: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        return cv2.warpPerspective(light, matrix, self.size, flags=how, borderMode=cv2.BORDER_REFLECT)

    def apart(self, one: np.ndarray, other: np.ndarray) -> float:
        """Mean pixels between where two homographies lead, over the view."""
        x, y = np.meshgrid(np.arange(0, self.size[0], 8), np.arange(0, self.size[1], 8))
        places = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
        ends = [(m @ places)[:2] / (m @ places)[2] for m in (one, other)]
        return float(np.linalg.norm(ends[0] - ends[1], axis=0).mean())


def on_device(path: ExposureTrajectory, like: torch.Tensor) -> Trajectories:
    """The same in units."""
    units = Units.of(like)
    motion = (torch.from_numpy(way)[None] / units.unit for way in (path.velocity, path.acceleration))
    middle = units.from_pixels(torch.from_numpy(path.middle).float()[None])
    return Trajectories(middle, *motion, torch.tensor([path.lead]))


def _to(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def _codes(light: np.ndarray) -> torch.Tensor:
    codes = np.rint(255 * np.clip(light, 0, 1) ** (1 / GAMMA)).astype(np.float32)
    return torch.from_numpy(codes / 255).permute(2, 0, 1)[None].contiguous()
