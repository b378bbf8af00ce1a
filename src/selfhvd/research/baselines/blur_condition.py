"""Blur condition of a frame: which way, and how far, each of its pixels would smear (DaDeblur, He et al. 2024).

Theirs: the motion (F_{t→t+1} - F_{t→t-1}) / 2 gives the direction; the length is the frame's own blur over its
maximum, times the mean of the blur of the four frames around, which are not aligned, plus 10 pixels. Derived: blur of
frames too near the ends to have all four is their own. Ours: any flow, blur measured as that flow while the shutter is
open instead of by their network, no division by zero, and 10 pixels scaled with the frames.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.flow.predictor import FlowPredictor
from selfhvd.research.baselines.scale import relative_size
from selfhvd.video.frame_source import Frames

_AROUND = (-2, -1, 1, 2)
_STILL = 1e-6
"""Pixels; a shorter motion has no direction."""


@dataclass(frozen=True)
class ConditionConfig:
    """How long the smear is."""

    shutter: float = 1.0
    """Share of the time from frame to frame that the shutter is open: turns motion into blur (ours; not known)."""
    floor: float = 10.0
    """Pixels added to each length, for frames of 1280 x 720."""


@dataclass(frozen=True)
class BlurCondition:
    """How each pixel smears: straight, evenly, as far to both sides."""

    direction: Float[Tensor, "batch xy=2 height width"]
    """Unit vectors; zero where nothing moves."""
    length: Float[Tensor, "batch 1 height width"]
    """Pixels from end to end."""


def blur_condition(
    frames: Frames, index: int, predictor: FlowPredictor, config: ConditionConfig = ConditionConfig()
) -> BlurCondition:
    """The condition with which frame `index` is blurred again."""
    own = motion(frames, index, predictor)
    blur, direction = _length(own), own / _length(own).clamp(min=_STILL)
    # Motion is between two neighbours, which the first and the last frame do not have.
    around = [index + step for step in _AROUND if 0 < index + step < len(frames) - 1]
    typical = blur
    if len(around) == len(_AROUND):
        share = blur / blur.max().clamp(min=_STILL)
        typical = share * sum(_length(motion(frames, near, predictor)) for near in around) / len(around)
    length = config.shutter * typical + config.floor * relative_size(*own.shape[-2:])
    return BlurCondition(direction, length)


def motion(frames: Frames, index: int, predictor: FlowPredictor) -> Float[Tensor, "1 xy=2 height width"]:
    """Pixels a frame at frame `index`: mean of the flow ahead and the flow back turned round, or what there is."""
    here = frames.tensor(index)[None]
    near = [(index + step, step) for step in (1, -1) if 0 <= index + step < len(frames)]
    flows = [step * predictor(here, frames.tensor(other)[None]).field for other, step in near]
    return torch.stack(flows).mean(dim=0) if flows else torch.zeros_like(here[:, :2])


def _length(field: Float[Tensor, "batch xy=2 height width"]) -> Float[Tensor, "batch 1 height width"]:
    return field.norm(dim=1, keepdim=True)
