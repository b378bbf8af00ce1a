"""The meter: everything that measures a frame."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from selfhvd.errors import UsageError, WeightsError
from selfhvd.metrics.drift import DRIFT, drift
from selfhvd.metrics.flicker import FLICKER, FLICKER_REFERENCE, flicker, motion
from selfhvd.metrics.iqa import MANIQA, MUSIQ, NoReference
from selfhvd.metrics.lpips import LEAST_SIDE, LPIPS, Lpips
from selfhvd.metrics.psnr import PSNR, psnr
from selfhvd.metrics.sharpness import SHARPNESS, SHARPNESS_REFERENCE, sharpness
from selfhvd.metrics.ssim import SSIM, WINDOW, ssim
from selfhvd.system.device import pick_device
from selfhvd.video.frame import as_tensor
from selfhvd.weights.choose_flow import FlowName, choose_flow

Image = UInt8[np.ndarray, "height width 3"]
Compare = Callable[[Image, Image], float]


@dataclass(frozen=True)
class EvaluationConfig:
    """What has a say in the numbers."""

    flow: FlowName = "dis"
    """For drift and flicker. Not `auto`: numbers found with different flows do not compare."""
    flow_weights: Path | None = None
    iqa: bool = False
    """MUSIQ and MANIQA too, through pyiqa."""
    device: str = "auto"
    segment: int = 20
    """Frames a segment of the selection whose accuracy is measured, at least 1 (paper: 20; 5, 10, 30 its ablation)."""


@dataclass(frozen=True)
class FrameTriplet:
    """One frame of each clip, alike in size."""

    result: Image
    truth: Image | None
    reference: Image | None
    """The truth, or the input where there is no truth."""


class MetricSuite:
    """Measures frames of any number of clips.

    Raises:
        UsageError: a package that was asked for is not installed, or a segment has no frame.
        WeightsError, DeviceError: see `choose_flow`, `NoReference` and `pick_device`.
    """

    def __init__(self, config: EvaluationConfig = EvaluationConfig()) -> None:
        if config.segment < 1:
            raise UsageError(f"A segment of {config.segment} frames is none; it must have at least 1.")
        self.segment = config.segment
        self._device = pick_device(config.device)
        self._predictor = choose_flow(config.flow, config.flow_weights, self._device, shutter=False)
        names = (MUSIQ.name, MANIQA.name) if config.iqa else ()
        self._scorers = {name: NoReference(name, self._device) for name in names}

    @property
    def flow(self) -> str:
        """The flow behind drift and flicker."""
        return self._predictor.name

    def left_out(self, width: int, height: int, *, truth: bool) -> list[str]:
        """A sentence for each metric that frames of this size, with or without a truth, do not get."""
        if not truth:
            return ["There is no truth, so PSNR, SSIM and LPIPS are left out."]
        side = min(width, height)
        notes = [_too_small("SSIM", WINDOW)] if side < WINDOW else []
        if side < LEAST_SIDE:
            return [*notes, _too_small("LPIPS", LEAST_SIDE)]
        return [*notes, f"LPIPS is left out: {self._lpips}"] if isinstance(self._lpips, str) else notes

    def measure_all(self, moments: Iterable[FrameTriplet]) -> Iterator[dict[str, float]]:
        """The values of each frame of a clip; two moments are held."""
        before: FrameTriplet | None = None
        for now in moments:
            yield self.measure(now, before)
            before = now

    def measure(self, now: FrameTriplet, before: FrameTriplet | None) -> dict[str, float]:
        """The value of each metric that the frame has; `before` is the one before it."""
        values = {SHARPNESS.name: sharpness(now.result)}
        if now.truth is not None:
            comparisons = self._comparisons(min(now.truth.shape[:2]))
            values |= {name: metric(now.result, now.truth) for name, metric in comparisons.items()}
        if now.reference is not None:
            values[DRIFT.name] = drift(as_tensor(now.result), as_tensor(now.reference), self._predictor)
            values[SHARPNESS_REFERENCE.name] = sharpness(now.reference)
        if before is not None:
            values |= self._flickers(now, before)
        values |= {name: metric(now.result) for name, metric in self._scorers.items()}
        return {name: value for name, value in values.items() if math.isfinite(value)}

    def _comparisons(self, side: int) -> dict[str, Compare]:
        """The metrics of a frame against its truth that there are for frames of this shorter side."""
        found: dict[str, Compare] = {PSNR.name: psnr}
        if side >= WINDOW:
            found[SSIM.name] = ssim
        if side >= LEAST_SIDE and not isinstance(self._lpips, str):
            found[LPIPS.name] = self._lpips
        return found

    @cached_property
    def _lpips(self) -> Lpips | str:
        """LPIPS, or why there is none; loaded when there is a truth to compare with."""
        try:
            return Lpips(self._device)
        except (UsageError, WeightsError) as error:
            return str(error)

    def _flickers(self, now: FrameTriplet, before: FrameTriplet) -> dict[str, float]:
        """Of the result, and of the reference over the same pixels."""
        result = as_tensor(now.result), as_tensor(before.result)
        if now.reference is None or before.reference is None:
            return {FLICKER.name: flicker(*result, motion(*result, self._predictor))}
        reference = as_tensor(now.reference), as_tensor(before.reference)
        moved = motion(*reference, self._predictor)
        return {FLICKER.name: flicker(*result, moved), FLICKER_REFERENCE.name: flicker(*reference, moved)}


def _too_small(name: str, least: int) -> str:
    return f"{name} is left out: it needs frames of at least {least} pixels a side."
