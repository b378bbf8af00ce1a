"""A clip whose motion is known: a wall that slides by, sharp in some frames and smeared along its motion in others.

And how much a little training on pairs helps.
"""

import cv2
import numpy as np
import torch

from selfhvd.backbones import Lite, LiteConfig
from selfhvd.extensions.selection import Selection
from selfhvd.flow.predictor import Flow, FlowPredictor
from selfhvd.method.stages import learn_truth
from selfhvd.research.baselines.pairs import Pairs
from selfhvd.video.frame_source import ArrayFrames

SHARP = (1, 4, 5, 9, 12, 15)
COUNT = 18
HEIGHT, WIDTH = 64, 80
STEP = 2
"""Pixels a frame that the view moves to the right."""


def scene() -> np.ndarray:
    draw = np.random.default_rng(5)
    fine = cv2.GaussianBlur(draw.normal(size=(160, 240, 3)).astype(np.float32), (0, 0), 0.8)
    coarse = cv2.GaussianBlur(draw.normal(size=(160, 240, 3)).astype(np.float32), (0, 0), 4.0)
    return np.clip(120 + 35 * fine / fine.std() + 30 * coarse / coarse.std(), 0, 255).astype(np.uint8)


def sliding(count: int = COUNT, sharp: tuple[int, ...] = SHARP, blur: tuple[int, int] = (9, 1)) -> ArrayFrames:
    """Every frame shows the wall `STEP` pixels further to the right than the one before."""
    wall = scene()
    views = (wall[20 : 20 + HEIGHT, 20 + STEP * i : 20 + STEP * i + WIDTH] for i in range(count))
    return ArrayFrames([view.copy() if i in sharp else cv2.blur(view, blur) for i, view in enumerate(views)])


def selection(count: int = COUNT, sharp: tuple[int, ...] = SHARP) -> Selection:
    scores = tuple(9.0 if i in sharp else 1.0 for i in range(count))
    return Selection(scores, scores, 5.0, sharp, (), "mixed")


class Numbered:
    """Frames of one colour, their number over 255; `ArrayFrames` would do, but here tests see what was read."""

    def __init__(self, count: int, height: int = 48, width: int = 48) -> None:
        self.count, self.height, self.width, self.asked = count, height, width, []

    def __len__(self) -> int:
        return self.count

    def tensor(self, index: int) -> torch.Tensor:
        self.asked.append(index)
        return torch.full((3, self.height, self.width), index / 255)


class Exact(FlowPredictor):
    """The flow of `Numbered` frames, or of one that never changes: so many pixels for each frame of difference."""

    name = "exact"

    def __init__(self, field: torch.Tensor) -> None:
        self.field = field

    def __call__(self, first: torch.Tensor, second: torch.Tensor) -> Flow:
        steps = round(float((second - first).mean() * 255))
        field = (steps * self.field).expand(len(first), 2, *first.shape[-2:]).contiguous()
        return Flow(field, torch.ones_like(field[:, :1]))


def lesson(pairs: Pairs, steps: int = 50) -> float:
    """The loss on batches that a small network never saw, after some steps over before."""
    torch.manual_seed(0)
    network = Lite(LiteConfig(widths=(16, 16, 16), blocks=(1, 1, 1)))

    def unseen() -> float:
        with torch.no_grad():
            return float(np.mean([float(learn_truth(network, pairs.draw(1000 + n))) for n in range(6)]))

    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    before = unseen()
    for step in range(steps):
        optimiser.zero_grad()
        learn_truth(network, pairs.draw(step)).backward()
        optimiser.step()
    return unseen() / before
