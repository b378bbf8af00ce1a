"""Random motion kernels: the path of a point that a hand shakes during one exposure.

After the published descriptions of Boracchi and Foi (IEEE TIP 2012) and of DeblurGAN (Kupyn et al., CVPR 2018,
Algorithm 1), in our own writing. Theirs: a point that moves with constant speed, is pulled back to where it began,
trembles, and now and then turns about; 2000 steps, a path of 60 to 80 pixels on a canvas of 64, impulses with a
probability of 0.005. Derived: the ranges of the three drives. Ours: the kernel is centred on its centre of mass, so
that a blurred image is not moved against its target, and a path that would leave the canvas is shrunk into it.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

_MOST_PULL = 0.7
_MOST_TREMOR = 10.0
_MOST_JERK = 0.2
"""Largest pull back, tremor, and chance of an impulse; each kernel draws its own, evenly, from 0 up (derived)."""


@dataclass(frozen=True)
class KernelConfig:
    """Size and temper of the kernels."""

    canvas: int = 64
    """Pixels a side at most; kernels have an odd side, so that there is a centre."""
    steps: int = 2000
    length: tuple[float, float] = (60.0, 80.0)
    """Pixels of path, drawn evenly."""
    explosion: float = 0.005
    """How easily the hand is upset: the chance of an impulse, and the strength of the pull and of the tremor."""
    scale: float = 1.0
    """Canvas and length are multiplied by this: 1 = frames of 1280 x 720."""

    @property
    def side(self) -> int:
        """Pixels a side of a kernel: odd, at least 3."""
        return max(3, (round(self.canvas * self.scale) - 1) // 2 * 2 + 1)


def random_kernel(rng: np.random.Generator, config: KernelConfig = KernelConfig()) -> Float[np.ndarray, "side side"]:
    """A kernel with no negative value, sum 1, centre of mass on its central pixel; float32."""
    path = trajectory(rng, config)
    path = path - path.mean()
    reach = max(float(np.abs(np.real(path)).max()), float(np.abs(np.imag(path)).max()), 1e-9)
    # A point between pixels touches the next one too.
    path = path * min(1.0, (config.side // 2 - 1e-6) / reach)
    return _drawn(path, config.side)


def trajectory(rng: np.random.Generator, config: KernelConfig = KernelConfig()) -> Complex[np.ndarray, " step"]:
    """Where the point is at each step, pixels, x + iy, from 0; each step is as long as every other."""
    stride = config.scale * rng.uniform(*config.length) / (config.steps - 1)
    pull, tremor, jerk = rng.uniform(size=3) * [_MOST_PULL, _MOST_TREMOR, _MOST_JERK]
    angle = rng.uniform(0, 2 * math.pi)
    jerks = rng.random(config.steps) < jerk * config.explosion
    back = np.exp(1j * (math.pi + rng.uniform(-0.5, 0.5, config.steps)))
    shakes = tremor * (rng.standard_normal(config.steps) + 1j * rng.standard_normal(config.steps))
    # Counted in strides, so that the same hand draws the same shape at every scale.
    heading, place, path = complex(math.cos(angle), math.sin(angle)), 0j, np.zeros(config.steps, complex)
    pull *= stride / config.scale
    for step in range(1, config.steps):
        change = config.explosion * (shakes[step] - pull * place)
        heading = heading + change + (2 * heading * back[step] if jerks[step] else 0)
        heading /= abs(heading)
        place += heading
        path[step] = place
    return stride * path


def _drawn(path: Complex[np.ndarray, " step"], side: int) -> Float[np.ndarray, "side side"]:
    """Time spent in each pixel, shared bilinearly; the path's zero is the central pixel."""
    kernel = np.zeros((side + 1, side + 1))
    x, y = np.real(path) + side // 2, np.imag(path) + side // 2
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right_share, bottom_share = x - left, y - top
    for down, row_share in ((0, 1 - bottom_share), (1, bottom_share)):
        for across, column_share in ((0, 1 - right_share), (1, right_share)):
            np.add.at(kernel, (top + down, left + across), row_share * column_share)
    return (kernel[:side, :side] / len(path)).astype(np.float32)
