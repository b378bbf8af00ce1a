"""Flicker: what changes from one frame to the next although nothing moved there."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from selfhvd.flow.predictor import FlowPredictor
from selfhvd.method.masks import in_frame, occlusion
from selfhvd.metrics.definition import MEAN_OF_FRAMES, Definition
from selfhvd.ops.warp import warp
from selfhvd.video.frame import Picture, as_image, check_alike

Image = Tensor | Picture
"""A tensor `3 height width` in [0, 1], or a picture; anything else, or of another size, is a `UsageError`."""

_STRENGTH = 0.2
"""Of the occlusion mask (Eq. 5): a pixel whose way there and back misses by 5 pixels does not count."""

FLICKER = Definition(
    name="flicker",
    title="flicker, grey levels",
    better="for comparison",
    formula="mean |frame - previous frame brought onto it by flow|, over channels and visible pixels (inside the "
    "previous frame, weighted by Eq. 5's occlusion mask), grey levels of 255; flow and mask are those of the reference",
    colour="RGB, gamma-encoded, rounded to 8 bits",
    borders="pixels that come from outside the previous frame do not count",
    averaging=f"{MEAN_OF_FRAMES}; a frame counts with the class of the later of the two, the first has none",
    libraries=("opencv-python-headless", "torch"),
)
FLICKER_REFERENCE = Definition(
    name="flicker_reference",
    title="flicker of the reference",
    better="for comparison",
    formula="the same of the reference, with the same flow and mask",
    colour=FLICKER.colour,
    borders=FLICKER.borders,
    averaging=FLICKER.averaging,
    libraries=FLICKER.libraries,
)
FLICKER_RATIO = Definition(
    name="flicker_ratio",
    title="flicker / that of the reference",
    better="nearest 1",
    formula="mean flicker of the result over mean flicker of the reference (none for a still clip); 1 is as steady, "
    "below 1 is steadier (or, against a truth, smoother than right)",
    colour=FLICKER.colour,
    borders=FLICKER.borders,
    averaging="ratio of the two means, not mean of ratios",
    libraries=FLICKER.libraries,
    decimals=3,
)


@dataclass(frozen=True)
class Motion:
    """Where the pixels of a frame were in the previous one, and which of them could be seen there."""

    field: Float[Tensor, "1 xy=2 height width"]
    visible: Float[Tensor, "1 1 height width"]


def motion(frame: Image, previous: Image, predictor: FlowPredictor) -> Motion:
    """The motion from `frame` back to `previous`."""
    frame, previous = as_image(frame), as_image(previous)
    check_alike(frame, previous)
    back, there = (flow.field for flow in predictor.both(frame[None], previous[None]))
    return Motion(back, in_frame(back) * occlusion(back, there, _STRENGTH))


def flicker(frame: Image, previous: Image, moved: Motion) -> float:
    """255 * sum(V * |X_t - W(X_{t-1}, Φ)|) / sum(V), the mean over channels too; not a number where nothing is visible.

    Φ and its visible region V are handed in: found on the truth, they do not let an unsteady result hide its flicker in
    a flow of its own, and two clips are compared over the same pixels.
    """
    frame, previous = as_image(frame), as_image(previous)
    check_alike(frame, previous)
    change = (frame - warp(previous[None], moved.field)).abs().mean(dim=1, keepdim=True)
    weight = moved.visible.sum()
    return float(255 * (moved.visible * change).sum() / weight) if weight > 0 else float("nan")
