"""The job of `selfhvd evaluate`: how good a restored clip is, against the truth, against the input, or on its own."""

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from selfhvd.adapt import Progress, silent
from selfhvd.device import pick_device
from selfhvd.errors import InputError, UsageError, WeightsError
from selfhvd.flow import FlowPredictor
from selfhvd.flow_choice import FlowName, choose_flow
from selfhvd.method.sharp import Selection, find_sharp
from selfhvd.metrics.accuracy import SHARP_ACCURACY, read_labels, sharp_accuracy
from selfhvd.metrics.definition import Definition
from selfhvd.metrics.drift import DRIFT, drift
from selfhvd.metrics.flicker import FLICKER, FLICKER_RATIO, FLICKER_REFERENCE, flicker, motion
from selfhvd.metrics.frame import as_bytes, as_tensor
from selfhvd.metrics.iqa import MANIQA, MUSIQ, NoReference
from selfhvd.metrics.lpips import LEAST_SIDE, LPIPS, Lpips
from selfhvd.metrics.psnr import PSNR, psnr
from selfhvd.metrics.sharpness import SHARPNESS, SHARPNESS_REFERENCE, sharpness
from selfhvd.metrics.ssim import SSIM, WINDOW, ssim
from selfhvd.versions import versions
from selfhvd.video import Footage, check_source, ingest

Image = UInt8[np.ndarray, "height width 3"]
Compare = Callable[[Image, Image], float]

ALL, BLURRY, SHARP = "all", "blurry", "sharp"

_IN_ORDER = (
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
_BY_FLOW = {d.name for d in (DRIFT, FLICKER, FLICKER_REFERENCE, FLICKER_RATIO)}
_FLOW_WORDS = {
    "dis": "dis (the camera's motion first; what moves by less than 2 pixels on its own counts as still)",
}
_LEAST_FLICKER = 0.01
"""Grey levels; a reference that is stiller than that gives no ratio."""
_NO_REFERENCE = (MUSIQ, MANIQA)


@dataclass(frozen=True)
class EvaluationConfig:
    """What has a say in the numbers."""

    flow: FlowName = "dis"
    """For drift and flicker. Not `auto`: numbers found with different flows do not compare."""
    flow_weights: Path | None = None
    iqa: bool = False
    """MUSIQ and MANIQA too, through pyiqa."""
    device: str = "auto"


@dataclass(frozen=True)
class FrameScores:
    """One frame: a value for each metric that it has."""

    index: int
    sharp: bool | None
    """Of the input, by `find_sharp`; None where no input was given."""
    values: dict[str, float]


@dataclass(frozen=True)
class GroupScores:
    """All frames of the clip, or its blurry or sharp ones: the mean of each metric."""

    name: str
    """`all`, `blurry` or `sharp`."""
    frames: int
    values: dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """How good one clip is."""

    result: str
    truth: str | None
    input: str | None
    width: int
    height: int
    flow: str
    definitions: tuple[Definition, ...]
    """Of the metrics that were measured, in the order of the columns."""
    groups: tuple[GroupScores, ...]
    """`all` first; `blurry` and `sharp` where the input has both."""
    frames: tuple[FrameScores, ...]
    notes: tuple[str, ...]
    """What was left out, and why."""
    versions: dict[str, str]


@dataclass(frozen=True)
class _Clips:
    result: Footage
    truth: Footage | None
    input: Footage | None

    def moment(self, index: int) -> "_Moment":
        truth, source = (None if f is None else as_bytes(f.frame(index)) for f in (self.truth, self.input))
        return _Moment(as_bytes(self.result.frame(index)), truth, source if truth is None else truth)


def evaluate(
    result: Path,
    *,
    truth: Path | None = None,
    source: Path | None = None,
    sharp_labels: Path | None = None,
    config: EvaluationConfig = EvaluationConfig(),
    on_progress: Progress = silent,
) -> Evaluation:
    """Measure a restored clip.

    Args:
        result: a video, or a folder of images; so are the next two. None is touched.
        truth: what the result should be, frame by frame.
        source: the input that was restored. Its frames decide which count as blurry and which as sharp.
        sharp_labels: a file that says for each frame of the input whether it is sharp; see `read_labels`.
        config: the flow, and what else is measured.
        on_progress: told stage, done, total.

    Raises:
        InputError: a clip cannot be read, the clips differ in size or number of frames, or the labels do not fit.
        UsageError: labels without an input, or a package that was asked for is not installed.
        WeightsError, DeviceError: see `choose_flow`, `NoReference` and `pick_device`.
    """
    for path in filter(None, (result, truth, source)):
        check_source(path)
    labels = _labels(sharp_labels, source)
    device = pick_device(config.device)
    predictor = choose_flow(config.flow, config.flow_weights, device)
    scorers = {d.name: NoReference(d.name, device) for d in _NO_REFERENCE} if config.iqa else {}
    with tempfile.TemporaryDirectory(prefix="selfhvd-") as work:
        clips = _read(result, truth, source, Path(work), on_progress)
        _check_alike(clips)
        _check_count(labels, clips)
        selection = _selection(clips.input, on_progress)
        compare, notes = _comparisons(clips, device)
        meter = _Meter(predictor, compare, scorers)
        frames = tuple(_each_frame(clips, meter, selection, on_progress))
    groups = _groups(frames)
    if selection is not None and len(groups) == 1:
        notes.append(
            f"The input's frames are {selection.verdict}, so there are no blurry and sharp ones to tell apart."
        )
    if labels is not None and selection is not None:
        groups = (_with_accuracy(groups[0], selection, labels), *groups[1:])
    return Evaluation(
        result=str(result),
        truth=None if truth is None else str(truth),
        input=None if source is None else str(source),
        width=clips.result.width,
        height=clips.result.height,
        flow=predictor.name,
        definitions=_definitions(groups, predictor.name, _reference_word(truth, source)),
        groups=groups,
        frames=frames,
        notes=tuple(notes),
        versions=versions(),
    )


def _labels(path: Path | None, source: Path | None) -> tuple[bool, ...] | None:
    if path is None:
        return None
    if source is None:
        raise UsageError("--sharp-labels are of the input's frames; give the input with --input.")
    return read_labels(path)


def _read(result: Path, truth: Path | None, source: Path | None, work: Path, on_progress: Progress) -> _Clips:
    def read(name: str, path: Path) -> Footage:
        return ingest(path, work / name, on_frame=lambda n, of: on_progress(f"read {name}", n, of or 0))

    return _Clips(
        result=read("result", result),
        truth=None if truth is None else read("truth", truth),
        input=None if source is None else read("input", source),
    )


def _check_alike(clips: _Clips) -> None:
    """Frame by frame means: as many frames, of one size."""
    mine = clips.result
    for other in filter(None, (clips.truth, clips.input)):
        if len(mine) != len(other):
            raise InputError(
                f"{mine.source} has {len(mine)} frames but {other.source} has {len(other)}; "
                "cut them so that frame by frame they show the same."
            )
        if (mine.width, mine.height) != (other.width, other.height):
            raise InputError(
                f"{mine.source} is {mine.width}x{mine.height} but {other.source} is {other.width}x{other.height}; "
                "nothing is resized here, so make them alike."
            )


def _check_count(labels: Sequence[bool] | None, clips: _Clips) -> None:
    if labels is not None and len(labels) != len(clips.result):
        raise InputError(f"There are {len(labels)} sharp labels for {len(clips.result)} frames; give one for each.")


def _selection(footage: Footage | None, on_progress: Progress) -> Selection | None:
    if footage is None:
        return None
    return find_sharp(footage, footage.keyframes, on_frame=lambda n, of: on_progress("select", n, of))


def _comparisons(clips: _Clips, device: torch.device) -> tuple[dict[str, Compare], list[str]]:
    """The metrics of a frame against its truth that can be measured here, and a sentence for each that cannot."""
    if clips.truth is None:
        return {}, ["There is no truth, so PSNR, SSIM and LPIPS are left out."]
    found: dict[str, Compare] = {PSNR.name: psnr}
    notes: list[str] = []
    least = min(clips.result.width, clips.result.height)
    if least >= WINDOW:
        found[SSIM.name] = ssim
    else:
        notes.append(f"SSIM is left out: it needs frames of at least {WINDOW} pixels a side.")
    if least < LEAST_SIDE:
        return found, [*notes, f"LPIPS is left out: it needs frames of at least {LEAST_SIDE} pixels a side."]
    try:
        found[LPIPS.name] = Lpips(device)
    except (UsageError, WeightsError) as error:
        notes.append(f"LPIPS is left out: {error}")
    return found, notes


@dataclass(frozen=True)
class _Moment:
    """One frame of each clip."""

    result: Image
    truth: Image | None
    reference: Image | None


@dataclass(frozen=True)
class _Meter:
    """Everything that measures a frame."""

    predictor: FlowPredictor
    compare: dict[str, Compare]
    score: dict[str, NoReference]

    def measure(self, now: _Moment, before: _Moment | None) -> dict[str, float]:
        values = {SHARPNESS.name: sharpness(now.result)}
        if now.truth is not None:
            values |= {name: metric(now.result, now.truth) for name, metric in self.compare.items()}
        if now.reference is not None:
            values[DRIFT.name] = drift(as_tensor(now.result), as_tensor(now.reference), self.predictor)
            values[SHARPNESS_REFERENCE.name] = sharpness(now.reference)
        if before is not None:
            values |= self._flickers(now, before)
        values |= {name: metric(now.result) for name, metric in self.score.items()}
        return {name: value for name, value in values.items() if math.isfinite(value)}

    def _flickers(self, now: _Moment, before: _Moment) -> dict[str, float]:
        """Of the result, and of the reference over the same pixels."""
        result = as_tensor(now.result), as_tensor(before.result)
        if now.reference is None or before.reference is None:
            return {FLICKER.name: flicker(*result, motion(*result, self.predictor))}
        reference = as_tensor(now.reference), as_tensor(before.reference)
        moved = motion(*reference, self.predictor)
        return {FLICKER.name: flicker(*result, moved), FLICKER_REFERENCE.name: flicker(*reference, moved)}


def _each_frame(
    clips: _Clips, meter: _Meter, selection: Selection | None, on_progress: Progress
) -> Iterator[FrameScores]:
    """Frame after frame; two of each clip are held."""
    before: _Moment | None = None
    for index in range(len(clips.result)):
        now = clips.moment(index)
        sharp = None if selection is None else selection.is_sharp(index)
        yield FrameScores(index, sharp, meter.measure(now, before))
        before = now
        on_progress("measure", index + 1, len(clips.result))


def _groups(frames: Sequence[FrameScores]) -> tuple[GroupScores, ...]:
    blurry = [frame for frame in frames if frame.sharp is False]
    sharp = [frame for frame in frames if frame.sharp]
    together = _group(ALL, frames)
    return (together, _group(BLURRY, blurry), _group(SHARP, sharp)) if blurry and sharp else (together,)


def _group(name: str, frames: Sequence[FrameScores]) -> GroupScores:
    names = {metric for frame in frames for metric in frame.values}
    columns = {metric: [f.values[metric] for f in frames if metric in f.values] for metric in names}
    means = {metric: math.fsum(column) / len(column) for metric, column in columns.items()}
    if means.get(FLICKER_REFERENCE.name, 0) >= _LEAST_FLICKER:
        means[FLICKER_RATIO.name] = means[FLICKER.name] / means[FLICKER_REFERENCE.name]
    return GroupScores(name, len(frames), {d.name: means[d.name] for d in _IN_ORDER if d.name in means})


def _with_accuracy(group: GroupScores, selection: Selection, labels: Sequence[bool]) -> GroupScores:
    decisions = [selection.is_sharp(i) for i in range(len(selection.sharpness))]
    return replace(group, values={**group.values, SHARP_ACCURACY.name: sharp_accuracy(decisions, labels)})


def _definitions(groups: Sequence[GroupScores], flow: str, reference: str) -> tuple[Definition, ...]:
    """Of what was measured, in terms of the reference and the flow that were used."""
    found = [d.against(reference) for d in _IN_ORDER if any(d.name in group.values for group in groups)]
    how = _FLOW_WORDS.get(flow, flow)
    return tuple(replace(d, formula=f"{d.formula}; flow: {how}") if d.name in _BY_FLOW else d for d in found)


def _reference_word(truth: Path | None, source: Path | None) -> str:
    return "the truth" if truth is not None else "the input" if source is not None else "the result"
