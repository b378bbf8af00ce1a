"""The job of `selfhvd evaluate --dataset`: how good outputs are over the clips of a dataset."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from selfhvd.datasets import DatasetClip, Part, open_dataset
from selfhvd.errors import InputError
from selfhvd.metrics.accuracy import SHARP_ACCURACY, selection_accuracy
from selfhvd.metrics.definition import MEAN_OF_FRAMES, Definition
from selfhvd.research.evaluation.meter import EvaluationConfig, FrameTriplet, Image, MetricSuite
from selfhvd.research.evaluation.open_clip import OpenClip, opened
from selfhvd.research.evaluation.outputs import Outputs
from selfhvd.research.evaluation.save import Saved, check_saving
from selfhvd.research.evaluation.scores import ALL, BLURRY, SHARP, FrameScores, GroupScores, definitions, group, mean
from selfhvd.system.progress import Progress, silent
from selfhvd.system.versions import versions
from selfhvd.video.frame import as_bytes

OVER_CLIPS, OVER_FRAMES = "clips", "frames"
OnFault = Callable[[InputError], None]


@dataclass(frozen=True)
class ClipEvaluation:
    """How good the outputs of one clip are."""

    clip: str
    width: int
    height: int
    told_by: Literal["label", "find_sharp"]
    """What says which frames are sharp."""
    groups: tuple[GroupScores, ...]
    """`all`; `blurry` and `sharp`, each where there are such frames."""
    frames: tuple[FrameScores, ...]


@dataclass(frozen=True)
class MeanScores:
    """The mean of each metric over clips, or over all frames of all clips."""

    over: Literal["clips", "frames"]
    """`clips`: the mean of the clips' own numbers. `frames`: every frame counts alike."""
    group: str
    """`all`, `blurry` or `sharp`."""
    clips: int
    """That have such frames."""
    frames: int
    """Of these clips, of that group."""
    values: dict[str, float]


@dataclass(frozen=True)
class DatasetEvaluation:
    """How good outputs are over a dataset."""

    dataset: str
    layout: str
    part: Part | None
    outputs: str
    """How they were made."""
    flow: str
    definitions: tuple[Definition, ...]
    """Of the metrics that were measured, in the order of the columns."""
    means: tuple[MeanScores, ...]
    clips: tuple[ClipEvaluation, ...]
    notes: tuple[str, ...]
    """What was left out, and why."""
    faults: tuple[str, ...]
    """What is broken, and is in no number."""
    versions: dict[str, str]


def evaluate_dataset(
    folder: Path,
    outputs: Outputs,
    *,
    layout: str = "auto",
    part: Part | None = None,
    config: EvaluationConfig = EvaluationConfig(),
    save_frames: Path | None = None,
    overwrite: bool = False,
    on_fault: OnFault = lambda fault: None,
    on_progress: Progress = silent,
) -> DatasetEvaluation:
    """Measure the outputs of every clip of a dataset, frame by frame, against its truth, or its input.

    Args:
        folder: see `open_dataset`, as are the next two.
        outputs: where they come from.
        layout: a key of `LAYOUTS`, or auto.
        part: only clips of train, valid or test.
        config: the flow of the metrics, and what else is measured.
        save_frames: keep the outputs as `save_frames/CLIP/00000000.png`, ...
        overwrite: replace clips that are there.
        on_fault: told of each clip that cannot be measured; the others go on.
        on_progress: told the clip, frames done, frames in all.

    Raises:
        InputError: nothing could be measured.
        OutputError: frames cannot be saved, or are there already.
        UsageError: they would be saved over the dataset itself.
        UsageError, WeightsError, DeviceError: see `MetricSuite`.
    """
    faults: list[str] = []

    def tell(fault: InputError) -> None:
        faults.append(str(fault))
        on_fault(fault)

    meter = MetricSuite(config)
    dataset = open_dataset(folder, layout, part, on_fault=tell)
    if save_frames is not None:
        check_saving(save_frames, dataset.clips, overwrite=overwrite)
    clips: list[ClipEvaluation] = []
    for clip in dataset.clips:
        try:
            clips.append(_clip(clip, outputs, meter, save_frames, on_progress))
        except InputError as error:
            tell(InputError(f"Clip {clip.name}: {error}"))
    if not clips:
        raise InputError(f"{folder} holds no clip that can be measured.")
    truth = dataset.clips[0].has_truth
    return DatasetEvaluation(
        dataset=str(folder),
        layout=dataset.layout,
        part=part,
        outputs=outputs.about,
        flow=meter.flow,
        definitions=_definitions(clips, meter.flow, "the truth" if truth else "the input"),
        means=tuple(_means(clips)),
        clips=tuple(clips),
        notes=tuple(_notes(clips, meter, truth=truth)),
        faults=tuple(faults),
        versions=versions(),
    )


def _clip(
    clip: DatasetClip, outputs: Outputs, meter: MetricSuite, save_frames: Path | None, on_progress: Progress
) -> ClipEvaluation:
    """One clip, frame after frame."""
    with opened(clip) as there, Saved(save_frames, clip.name) if save_frames else nullcontext() as saved:
        size = there.frames.frame(0).shape
        frames: list[FrameScores] = []
        moments = _moments(there, outputs.of(there), saved.write if saved else lambda image: None)
        for index, values in enumerate(meter.measure_all(moments)):
            frames.append(FrameScores(index, there.is_sharp(index), values))
            on_progress(clip.name, index + 1, len(there.frames))
        first, *others = group(frames)
        if there.label is not None:
            accuracy = selection_accuracy(there.selection.scores, there.label.sharp, meter.segment)
            first = replace(first, values={**first.values, SHARP_ACCURACY.name: accuracy})
        told_by = "find_sharp" if there.label is None else "label"
        return ClipEvaluation(clip.name, size[1], size[0], told_by, (first, *others), tuple(frames))


def _moments(clip: OpenClip, results: Iterator[Image], save: Callable[[Image], None]) -> Iterator[FrameTriplet]:
    """Each frame of the output beside that of the truth, or of the input."""
    for index, result in enumerate(results):
        reference = as_bytes((clip.frames if clip.truth is None else clip.truth).frame(index))
        if result.shape != reference.shape:
            sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (result, reference)]
            against = "the input" if clip.truth is None else "the truth"
            raise InputError(f"frame {index} of the result is {sizes[0]}, but {against} is {sizes[1]}.")
        save(result)
        yield FrameTriplet(result, None if clip.truth is None else reference, reference)


def _means(clips: list[ClipEvaluation]) -> Iterator[MeanScores]:
    """Over clips, then over frames; of all, blurry and sharp ones, each where there are any."""
    frames = group(frame for clip in clips for frame in clip.frames)
    for pooled in frames:
        own = [scores for clip in clips for scores in clip.groups if scores.name == pooled.name]
        yield MeanScores(OVER_CLIPS, pooled.name, len(own), pooled.frames, mean(scores.values for scores in own))
    for pooled in frames:
        count = sum(any(scores.name == pooled.name for scores in clip.groups) for clip in clips)
        accuracy = _accuracy(clips) if pooled.name == ALL else {}
        yield MeanScores(OVER_FRAMES, pooled.name, count, pooled.frames, {**pooled.values, **accuracy})


def _accuracy(clips: list[ClipEvaluation]) -> dict[str, float]:
    """Over all labelled frames."""
    name = SHARP_ACCURACY.name
    labelled = [scores for clip in clips for scores in clip.groups if name in scores.values]
    frames = sum(scores.frames for scores in labelled)
    return {name: sum(scores.values[name] * scores.frames for scores in labelled) / frames} if frames else {}


def _definitions(clips: list[ClipEvaluation], flow: str, reference: str) -> tuple[Definition, ...]:
    found = definitions((scores for clip in clips for scores in clip.groups), flow, reference)
    clip = MEAN_OF_FRAMES.removesuffix("; clips are not pooled")
    return tuple(replace(d, averaging=d.averaging.replace(MEAN_OF_FRAMES, clip)) for d in found)


def _notes(clips: list[ClipEvaluation], meter: MetricSuite, *, truth: bool) -> Iterator[str]:
    """What was left out, each sentence once."""
    sizes = dict.fromkeys((clip.width, clip.height) for clip in clips)
    yield from dict.fromkeys(note for size in sizes for note in meter.left_out(*size, truth=truth))
    bare = {name: [c.clip for c in clips if name not in {g.name for g in c.groups}] for name in (BLURRY, SHARP)}
    for name, without in bare.items():
        if without:
            yield f"Without a {name} frame: {', '.join(without)}."
    labelled = sum(clip.told_by == "label" for clip in clips)
    if 0 < labelled < len(clips):
        yield f"{labelled} of {len(clips)} clips have a label; of the others find_sharp says which frames are sharp."
