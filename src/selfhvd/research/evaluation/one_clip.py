"""The job of `selfhvd evaluate RESULT`: how good a clip is, against the truth, against the input, or on its own."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from selfhvd.errors import InputError, UsageError
from selfhvd.extensions.selection import Selection, find_sharp
from selfhvd.metrics.accuracy import SHARP_ACCURACY, read_labels, selection_accuracy
from selfhvd.metrics.definition import Definition
from selfhvd.research.evaluation.meter import EvaluationConfig, FrameTriplet, MetricSuite
from selfhvd.research.evaluation.scores import FrameScores, GroupScores, definitions, group
from selfhvd.system.progress import Progress, silent
from selfhvd.system.versions import versions
from selfhvd.video import Footage, check_source, ingest
from selfhvd.video.frame import as_bytes


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

    def moments(self) -> Iterator[FrameTriplet]:
        for index in range(len(self.result)):
            truth, source = (None if f is None else as_bytes(f.frame(index)) for f in (self.truth, self.input))
            yield FrameTriplet(as_bytes(self.result.frame(index)), truth, source if truth is None else truth)


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
        WeightsError, DeviceError: see `MetricSuite`.
    """
    for path in filter(None, (result, truth, source)):
        check_source(path)
    labels = _labels(sharp_labels, source)
    meter = MetricSuite(config)
    with tempfile.TemporaryDirectory(prefix="selfhvd-") as work:
        clips = _read(result, truth, source, Path(work), on_progress)
        _check_alike(clips)
        _check_count(labels, clips)
        selection = _selection(clips.input, on_progress)
        notes = meter.left_out(clips.result.width, clips.result.height, truth=truth is not None)
        frames = tuple(_each_frame(clips, meter, selection, on_progress))
    whole, *parts = group(frames)
    if selection is not None and len(parts) < 2:
        parts = []
        notes.append(
            f"The input's frames are {selection.verdict}, so there are no blurry and sharp ones to tell apart."
        )
    if labels is not None and selection is not None:
        accuracy = selection_accuracy(selection.scores, labels, config.segment)
        whole = replace(whole, values={**whole.values, SHARP_ACCURACY.name: accuracy})
    groups = (whole, *parts)
    return Evaluation(
        result=str(result),
        truth=None if truth is None else str(truth),
        input=None if source is None else str(source),
        width=clips.result.width,
        height=clips.result.height,
        flow=meter.flow,
        definitions=definitions(groups, meter.flow, _reference_word(truth, source)),
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


def _each_frame(
    clips: _Clips, meter: MetricSuite, selection: Selection | None, on_progress: Progress
) -> Iterator[FrameScores]:
    for index, values in enumerate(meter.measure_all(clips.moments())):
        yield FrameScores(index, None if selection is None else selection.is_sharp(index), values)
        on_progress("measure", index + 1, len(clips.result))


def _reference_word(truth: Path | None, source: Path | None) -> str:
    return "the truth" if truth is not None else "the input" if source is not None else "the result"
