"""Frames between two frames, so that an average of few sub-frames is a smooth blur and not a row of ghosts."""

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor

from selfhvd.flow import FlowPredictor
from selfhvd.ops.light import GAMMA
from selfhvd.ops.warp import warp_clamped


def in_between(
    first: Float[Tensor, "1 3 height width"],
    second: Float[Tensor, "1 3 height width"],
    factor: int,
    predictor: FlowPredictor,
) -> Iterator[Float[Tensor, "1 3 height width"]]:
    """The `factor` - 1 frames at equal steps between two, in linear light.

    At time t between 0 and 1 the flows to the two are taken from those between them, after Super SloMo (Jiang et al.,
    CVPR 2018): F(t, 0) = -(1-t) t F(0, 1) + t^2 F(1, 0), F(t, 1) = (1-t)^2 F(0, 1) - t (1-t) F(1, 0); what they bring
    over is mixed by nearness in time.

    Args:
        first: RGB in [0, 1], encoded.
        second: the same.
        factor: at least 1.
        predictor: which flow.
    """
    if factor == 1:
        return
    there, back = (flow.field for flow in predictor.both(first, second))
    light = first**GAMMA, second**GAMMA
    for step in range(1, factor):
        t = step / factor
        to_first = -(1 - t) * t * there + t**2 * back
        to_second = (1 - t) ** 2 * there - t * (1 - t) * back
        yield (1 - t) * warp_clamped(light[0], to_first) + t * warp_clamped(light[1], to_second)
