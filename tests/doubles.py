"""What stands in for what is not the matter of a test."""

import numpy as np
import torch

from selfhvd.extensions.fused_guides import fused
from selfhvd.flow.predictor import Flow, FlowPredictor
from selfhvd.method.align import AlignConfig, align_each


def tensor(image: np.ndarray) -> torch.Tensor:
    """`height width channel` bytes -> one image in [0, 1]."""
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255


class Shift(FlowPredictor):
    """Every pixel of the first image is found `x`, `y` pixels away in the second."""

    name = "shift"

    def __init__(self, x: float, y: float) -> None:
        self.x, self.y = x, y

    def __call__(self, first, second):
        field = torch.tensor([float(self.x), float(self.y)]).view(1, 2, 1, 1).expand(len(first), 2, *first.shape[-2:])
        return Flow(field, torch.ones_like(field[:, :1]))

    def both(self, first, second):
        return self(first, second), Shift(-self.x, -self.y)(second, first)


class Still(FlowPredictor):
    """Nothing ever moves."""

    name = "still"

    def __call__(self, first, second):
        return Flow(torch.zeros_like(first[:, :2]), torch.ones_like(first[:, :1]))


def fused_frames(output, frames, numbers, predictor, config=AlignConfig()):
    """The guide that is made of frames by number; -1 stands for none."""
    sharp = [frames.tensor(number)[None] for number in numbers if number >= 0]
    return fused(output, align_each(output[None], sharp, predictor, config))
