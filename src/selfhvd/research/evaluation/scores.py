"""Scores of frames, their means, and the definitions that go with them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from selfhvd.metrics.accuracy import SHARP_ACCURACY
from selfhvd.metrics.definition import Definition
from selfhvd.metrics.drift import DRIFT
from selfhvd.metrics.flicker import FLICKER, FLICKER_RATIO, FLICKER_REFERENCE
from selfhvd.metrics.iqa import MANIQA, MUSIQ
from selfhvd.metrics.lpips import LPIPS
from selfhvd.metrics.psnr import PSNR
from selfhvd.metrics.sharpness import SHARPNESS, SHARPNESS_REFERENCE
from selfhvd.metrics.ssim import SSIM

ALL, BLURRY, SHARP = "all", "blurry", "sharp"

IN_ORDER = (
    PSNR,
    SSIM,
    LPIPS,
    DRIFT,
    FLICKER,
    FLICKER_REFERENCE,
    FLICKER_RATIO,
    SHARPNESS,
    SHARPNESS_REFERENCE,
    MUSIQ,
    MANIQA,
    SHARP_ACCURACY,
)
"""The metrics in the order of the columns."""
_BY_FLOW = {d.name for d in (DRIFT, FLICKER, FLICKER_REFERENCE, FLICKER_RATIO)}
_FLOW_WORDS = {
    "dis": "dis (the camera's motion first; what moves by less than 2 pixels on its own counts as still)",
}
_LEAST_FLICKER = 0.01
"""Grey levels; a reference that is stiller than that gives no ratio."""


@dataclass(frozen=True)
class FrameScores:
    """One frame: a value for each metric that it has."""

    index: int
    sharp: bool | None
    """Of the input, by its label or by `find_sharp`; None where no input was given."""
    values: dict[str, float]


@dataclass(frozen=True)
class GroupScores:
    """All frames of the clip, or its blurry or sharp ones: the mean of each metric."""

    name: str
    """`all`, `blurry` or `sharp`."""
    frames: int
    values: dict[str, float]


def group(frames: Iterable[FrameScores]) -> tuple[GroupScores, ...]:
    """All frames; and its blurry and its sharp ones, each where there are any."""
    scores = tuple(frames)
    parts = {BLURRY: [f for f in scores if f.sharp is False], SHARP: [f for f in scores if f.sharp]}
    return (_mean(ALL, scores), *(_mean(name, part) for name, part in parts.items() if part))


def mean(columns: Iterable[dict[str, float]]) -> dict[str, float]:
    """The mean of each metric over those that have it, in the order of the columns."""
    rows = tuple(columns)
    found = {d.name: [row[d.name] for row in rows if d.name in row] for d in IN_ORDER}
    return {name: math.fsum(values) / len(values) for name, values in found.items() if values}


def definitions(measured: Iterable[GroupScores], flow: str, reference: str) -> tuple[Definition, ...]:
    """Of what was measured, in terms of the reference and the flow that were used."""
    names = {name for scores in measured for name in scores.values}
    found = [d.against(reference) for d in IN_ORDER if d.name in names]
    how = _FLOW_WORDS.get(flow, flow)
    return tuple(replace(d, formula=f"{d.formula}; flow: {how}") if d.name in _BY_FLOW else d for d in found)


def _mean(name: str, frames: Sequence[FrameScores]) -> GroupScores:
    means = mean(frame.values for frame in frames)
    if means.get(FLICKER_REFERENCE.name, 0) >= _LEAST_FLICKER:
        means[FLICKER_RATIO.name] = means[FLICKER.name] / means[FLICKER_REFERENCE.name]
    return GroupScores(name, len(frames), {d.name: means[d.name] for d in IN_ORDER if d.name in means})
