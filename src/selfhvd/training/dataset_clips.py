"""From a dataset to clips that can be learned from: frames laid out, sharp ones found, broken ones named."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from selfhvd.datasets import DatasetClip, open_dataset
from selfhvd.errors import InputError, SelfHVDError
from selfhvd.extensions.selection import Selection, find_sharp
from selfhvd.system.atomic import write_aside
from selfhvd.system.progress import Progress, Stage
from selfhvd.training.clip import TrainingClip
from selfhvd.training.distributed import Processes
from selfhvd.training.recipe import Recipe
from selfhvd.video import Footage, ingest
from selfhvd.video.frame_source import Frames
from selfhvd.video.image_frames import ImageFrames

OnFault = Callable[[InputError], None]
LEAST_SIDE = 32
"""Pixels of the shorter side from which there is something to learn."""
_SELECTION = TypeAdapter(Selection)


def _nothing() -> None:
    pass


def find_clips(recipe: Recipe, on_fault: OnFault) -> tuple[DatasetClip, ...]:
    """The dataset's clips; `on_fault` is told of those that cannot be used."""
    data = recipe.data
    return open_dataset(data.folder, data.layout, data.part, on_fault=on_fault).clips[: data.clips]


def read_clips(
    found: Sequence[DatasetClip],
    recipe: Recipe,
    cache: Path,
    processes: Processes,
    on_progress: Progress,
    on_fault: OnFault,
) -> list[TrainingClip]:
    """Read every frame of every clip once: videos are laid out on disk, sharp frames found.

    Each process reads a share of the clips and leaves what it found in `cache`, where all, and a later run, look it up.

    Raises:
        InputError: no clip is left.
    """
    for number, clip in enumerate(found):
        if number % processes.count == processes.rank:
            _read_once(clip, recipe, cache, partial(on_progress, "read", number, len(found)))
            on_progress(Stage.READ, number + 1, len(found))
    processes.meet()
    clips: list[TrainingClip] = []
    for clip in found:
        facts: dict[str, Any] = json.loads(_facts(cache, clip).read_text(encoding="utf-8"))
        if "fault" in facts:
            on_fault(InputError(facts["fault"]))
        else:
            selection = _SELECTION.validate_python(facts)
            truth = _truth(clip, cache) if recipe.method.teach == "truth" else None
            clips.append(TrainingClip(_frames(clip, cache), selection, truth, clip.name))
    if not clips:
        raise InputError(f"{recipe.data.folder} has no clip to learn from.")
    return clips


def _read_once(clip: DatasetClip, recipe: Recipe, cache: Path, on_frame: Callable[[], None]) -> None:
    """Leave the clip's selection, or what is wrong with it; a clip alone may have been mended since."""
    target = _facts(cache, clip)
    if target.exists() and not (recipe.per_clip and "fault" in json.loads(target.read_text(encoding="utf-8"))):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        facts = asdict(_select(clip, recipe, cache, on_frame))
    except InputError as error:
        on_frame()  # a decoder that was ended together with us did not find the clip broken
        facts = {"fault": f"Clip {clip.name}: {error}"}
    write_aside(target, json.dumps(facts).encode())


def _select(clip: DatasetClip, recipe: Recipe, cache: Path, on_frame: Callable[[], None]) -> Selection:
    """`InputError` says why there is nothing to learn from the clip."""
    supervised = recipe.method.teach == "truth"
    if supervised and not clip.has_truth:
        raise InputError("there is no truth to learn from; leave the clip out, or teach sharp-frames.")
    frames = _frames(clip, cache, on_frame)
    if min(frames.tensor(0).shape[-2:]) < LEAST_SIDE:
        raise InputError(f"its frames are smaller than {LEAST_SIDE} pixels, so there is nothing to cut crops from.")
    selection = find_sharp(frames, _keyframes(frames), recipe.sharp, lambda done, total: on_frame())
    blurred = [length > recipe.sharp.blurred_above for length in selection.blur]
    screened = recipe.data.screened and not supervised
    if screened and not any(blurred):
        raise InputError("no frame is blurred, so there is nothing to learn from.")
    if not supervised and ((screened and all(blurred)) or len(selection.sharp) < 2):
        raise InputError("fewer than two frames are sharp, so there is nothing to learn from.")
    truth = _truth(clip, cache, on_frame) if supervised else None
    if truth is not None:
        _check(truth, frames, on_frame)
    return selection


def _check(truth: Frames, frames: Frames, on_frame: Callable[[], None]) -> None:
    """Read all of the truth once, so that nothing stops the training later."""
    if len(truth) != len(frames):
        raise InputError(f"there are {len(frames)} frames but {len(truth)} of the truth.")
    if truth.tensor(0).shape != frames.tensor(0).shape:
        raise InputError("the truth is of another size than the frames.")
    for index in range(len(truth)):
        truth.tensor(index)
        on_frame()


def _frames(clip: DatasetClip, cache: Path, on_frame: Callable[[], None] = _nothing) -> Frames:
    if clip.video is None:
        return ImageFrames(clip.frame_paths, alike=True)
    return _laid_out(clip.video, cache / clip.name / "frames", on_frame)


def _truth(clip: DatasetClip, cache: Path, on_frame: Callable[[], None] = _nothing) -> Frames | None:
    if clip.truth_paths is not None:
        return ImageFrames(clip.truth_paths, alike=True)
    return None if clip.truth_video is None else _laid_out(clip.truth_video, cache / clip.name / "truth", on_frame)


def _laid_out(video: Path, folder: Path, on_frame: Callable[[], None]) -> Footage:
    """Decoded once."""
    try:
        return Footage.load(folder)
    except SelfHVDError:
        return ingest(video, folder, on_frame=lambda done, total: on_frame())


def _keyframes(frames: Frames) -> Sequence[bool]:
    return frames.keyframes if isinstance(frames, Footage) and frames.kind != "images" else [False] * len(frames)


def _facts(cache: Path, clip: DatasetClip) -> Path:
    return cache / clip.name / "selection.json"
