"""How a person walks with a phone in the hand: a seeded path of the camera with six degrees of freedom."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from selfhvd.synthesis.trajectory import FRAME_RATE, shake

_STEP_HZ = (1.7, 2.2)
"""Steps a second of a person at ease."""
_BOB, _SWAY = (0.01, 0.03), (0.01, 0.025)
"""Metres up and down with each step, and from side to side with every second one."""
_FORWARD, _SIDEWAYS = (0.0, 1.1), (-0.5, 0.5)
"""Metres a second."""
_PAN = (-0.12, 0.12)
"""Radians a second."""


@dataclass(frozen=True)
class Walk:
    """A camera path; x leads to the right, y down, z forward."""

    position: Float[np.ndarray, "step xyz=3"]
    """Metres."""
    rotation: Float[np.ndarray, "step 3 3"]
    """From the camera's axes to the world's."""


def walk(rng: np.random.Generator, frames: int, substeps: int, amplitude: float, focal: float) -> Walk:
    """A hand that shakes while its person walks and pans.

    Args:
        rng: source of every draw.
        frames: length in frames of 1/30 s.
        substeps: steps a frame.
        amplitude: typical speed of far things in violent moments, pixels a frame.
        focal: focal length, pixels.
    """
    hand = shake(rng, frames, substeps, amplitude, focal / 3.5)
    seconds = np.arange(frames * substeps) / (substeps * FRAME_RATE)
    pan = rng.uniform(*_PAN) * (seconds - seconds.mean())
    angles = np.stack([hand.position[:, 0] / focal + pan, hand.position[:, 1] / focal, hand.angle], axis=1)
    return Walk(_stride(rng, seconds), Rotation.from_euler("YXZ", angles).as_matrix())


def _stride(rng: np.random.Generator, seconds: Float[np.ndarray, " step"]) -> Float[np.ndarray, "step xyz=3"]:
    """Steps, and where they lead."""
    phase = 2 * np.pi * rng.uniform(*_STEP_HZ) * seconds + rng.uniform(0, 4 * np.pi)
    up = rng.uniform(*_BOB) * np.cos(phase)
    across = rng.uniform(*_SWAY) * np.sin(phase / 2) + rng.uniform(*_SIDEWAYS) * (seconds - seconds.mean())
    ahead = rng.uniform(*_FORWARD) * seconds + 0.005 * np.sin(phase)
    return np.stack([across, up, ahead], axis=1)
