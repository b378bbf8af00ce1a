"""DDIM (Song, Meng, Ermon, ICLR 2021): from noise to a picture in few steps, without further noise."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

Images = Float[Tensor, "batch 3 height width"]
Denoiser = Callable[[Images, Int[Tensor, " batch"]], Images]
"""Noisy images and the time of each, 0 to T - 1; gives the noise that is in them."""


@dataclass(frozen=True)
class Schedule:
    """How noise grows over the times of training (ID-Blau's values)."""

    times: int = 2000
    """T."""
    first: float = 1e-6
    """β of the first time."""
    last: float = 1e-2
    """β of the last; in between linear."""

    @property
    def kept(self) -> Float[Tensor, " time"]:
        """ᾱ_t: share of the picture's variance that is left at each time."""
        beta = torch.linspace(self.first, self.last, self.times, dtype=torch.float64)
        return (1 - beta).cumprod(dim=0)


@torch.no_grad()
def ddim(noise: Images, denoise: Denoiser, schedule: Schedule = Schedule(), steps: int = 20) -> Images:
    """Eq. 12 of the paper with σ = 0, from the last time down, in `steps` strides that are as equal as can be.

    Args:
        noise: x_T, of unit variance.
        denoise: what knows the noise.
        schedule: ᾱ.
        steps: number of strides.
    """
    kept = schedule.kept
    times = torch.linspace(schedule.times - 1, 0, steps + 1).round().long().tolist()[:steps]
    x = noise
    for place, time in enumerate(times):
        here = float(kept[time])
        # After the last stride all noise is gone.
        there = float(kept[times[place + 1]]) if place + 1 < len(times) else 1.0
        guess = denoise(x, torch.full((len(x),), time, device=x.device))
        clean = (x - (1 - here) ** 0.5 * guess) / here**0.5
        x = there**0.5 * clean + (1 - there) ** 0.5 * guess
    return x
