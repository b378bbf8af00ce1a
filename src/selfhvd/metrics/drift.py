"""Drift: how far an output has wandered from where it should be. The method's own way to fail."""

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.flow.predictor import FlowPredictor


def drift(
    output: Float[Tensor, "3 height width"], truth: Float[Tensor, "3 height width"], predictor: FlowPredictor
) -> float:
    """Median length of the flow from `output` to `truth`, pixels."""
    flow = predictor(output[None], truth[None]).field
    return float(torch.hypot(*flow[0]).median())
