"""Drift: how far an output has wandered from where it should be. The method's own way to fail."""

import torch
from torch import Tensor

from selfhvd.flow.predictor import FlowPredictor
from selfhvd.metrics.definition import MEAN_OF_FRAMES, Definition
from selfhvd.video.frame import Picture, as_image, check_alike

DRIFT = Definition(
    name="drift",
    title="drift, pixels",
    better="lower",
    formula="median over the pixels of the length of the flow from the result to the reference",
    colour="RGB, gamma-encoded, rounded to 8 bits",
    borders="none cut",
    averaging=MEAN_OF_FRAMES,
    libraries=("opencv-python-headless", "torch"),
    decimals=3,
)


def drift(output: Tensor | Picture, truth: Tensor | Picture, predictor: FlowPredictor) -> float:
    """Median length of the flow from `output` to `truth`, pixels; tensors `3 height width` in [0, 1], or pictures.

    Raises:
        UsageError: one is neither, or they differ in size.
    """
    output, truth = as_image(output), as_image(truth)
    check_alike(output, truth)
    flow = predictor(output[None], truth[None]).field
    return float(torch.hypot(*flow[0]).median())
