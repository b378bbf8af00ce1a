"""Drift: how far an output has wandered from where it should be. The method's own way to fail."""

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.flow.predictor import FlowPredictor
from selfhvd.metrics.definition import MEAN_OF_FRAMES, Definition

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


def drift(
    output: Float[Tensor, "3 height width"], truth: Float[Tensor, "3 height width"], predictor: FlowPredictor
) -> float:
    """Median length of the flow from `output` to `truth`, pixels."""
    flow = predictor(output[None], truth[None]).field
    return float(torch.hypot(*flow[0]).median())
