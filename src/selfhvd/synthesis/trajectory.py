"""How a hand moves a phone: a seeded camera path."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

TREMOR_HZ = (1.5, 9.0)
"""Band of hand tremor that moves a phone, cycles a second."""
FRAME_RATE = 30.0


@dataclass(frozen=True)
class Trajectory:
    """A camera path sampled at every sub-frame."""

    position: Float[np.ndarray, "step xy=2"]
    """View centre, photo pixels, relative to the start."""
    angle: Float[np.ndarray, " step"]
    """Roll, radians."""
    zoom: Float[np.ndarray, " step"]
    """Scale of the view, 1 = the photo's own pixels."""

    def speed(self, radius: float) -> Float[np.ndarray, " step"]:
        """d_t = |ω_t| + |v_t| (Eq. C), both in pixels a step: rotation and zoom act at `radius` from the centre."""
        moved = np.linalg.norm(np.gradient(self.position, axis=0), axis=1)
        turned = np.abs(np.gradient(self.angle)) + np.abs(np.gradient(np.log(self.zoom)))
        return moved + radius * turned


def shake(rng: np.random.Generator, frames: int, substeps: int, amplitude: float, radius: float) -> Trajectory:
    """A hand that rolls between calm and violent.

    Args:
        rng: source of every draw.
        frames: length in frames of 1/30 s.
        substeps: sub-frames a frame.
        amplitude: typical speed in violent moments, pixels a frame.
        radius: distance from the centre at which rotation is felt, pixels.
    """
    steps = frames * substeps
    seconds = np.arange(steps) / (substeps * FRAME_RATE)
    calm = rng.uniform(0.05, 0.12)
    mood = calm + (1 - calm) * np.clip(0.5 + 0.8 * _waves(rng, seconds, (0.4, 1.4), 4), 0, 1) ** 1.5

    def path(speed: float) -> Float[np.ndarray, " step"]:
        return np.cumsum(mood * _waves(rng, seconds, TREMOR_HZ, 6)) * speed / substeps

    position = np.stack([path(amplitude), path(amplitude * rng.uniform(0.5, 1.0))], axis=1)
    walk = rng.uniform(-0.02, 0.02, size=2) * amplitude / substeps
    position = position + walk * np.arange(steps)[:, None]
    angle = path(0.35 * amplitude / radius)
    zoom = np.exp(path(0.08 * amplitude / radius))
    return Trajectory(position, angle, zoom)


def _waves(
    rng: np.random.Generator, seconds: Float[np.ndarray, " step"], band: tuple[float, float], count: int
) -> Float[np.ndarray, " step"]:
    """A sum of `count` random sines with frequencies in `band` (log-uniform), of unit variance."""
    frequency = np.exp(rng.uniform(np.log(band[0]), np.log(band[1]), size=count))
    phase = rng.uniform(0, 2 * np.pi, size=count)
    weight = rng.uniform(0.5, 1.0, size=count)
    waves = (weight * np.sin(2 * np.pi * frequency * seconds[:, None] + phase)).sum(axis=1)
    return waves * np.sqrt(2 / (weight**2).sum())
