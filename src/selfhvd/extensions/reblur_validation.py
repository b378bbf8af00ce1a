"""A trial with a known answer: blur the clip's own sharp frames along its own motion and see who restores them better.

Ours, not the paper's. The clip has no truth, but its sharp frames are the truth of what they would look like blurred.
The trial is for judging only; nothing is trained on it.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.flow.predictor import FlowPredictor
from selfhvd.ops.light import GAMMA
from selfhvd.ops.warp import warp_clamped
from selfhvd.video.frame_source import Frames

STEPS = 9
"""Instants averaged."""
LENGTH = 8.0
"""Typical length of the blur, pixels at 480 across."""

Image = Float[Tensor, "3 height width"]


def reblur(sharp: Image, neighbour: Image, predictor: FlowPredictor) -> Image:
    """`sharp` as a longer exposure would have seen it, moving towards and away from where `neighbour` was taken."""
    flow = predictor(sharp[None], neighbour[None]).field
    wanted = LENGTH * max(sharp.shape[-2:]) / 480
    typical = torch.hypot(*flow.split(1, dim=1)).median()
    path = flow * (wanted / typical.clamp(min=0.25))
    linear = sharp[None].clamp(0, 1) ** GAMMA
    instants = torch.linspace(-0.5, 0.5, STEPS)
    light = sum((warp_clamped(linear, float(t) * path) for t in instants), torch.zeros_like(linear)) / STEPS
    return (light.clamp(0, 1) ** (1 / GAMMA))[0]


def trial_score(
    frames: Frames,
    probes: Sequence[int],
    predictor: FlowPredictor,
    restore: Callable[[int, Image], Image],
) -> float:
    """Mean PSNR in dB with which `restore(index, blurred frame)` brings the sharp frames `probes` back."""
    scores: list[float] = []
    for j in probes:
        sharp = frames.tensor(j)
        neighbour = frames.tensor(j + 1 if j + 1 < len(frames) else j - 1)
        restored = restore(j, reblur(sharp, neighbour, predictor))
        error = float((restored - sharp).square().mean())
        scores.append(-10 * float(torch.log10(torch.tensor(max(error, 1e-10)))))
    return sum(scores) / max(len(scores), 1)
