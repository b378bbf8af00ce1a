"""Room on the disk: how much a training over a dataset fills, told and looked for before any clip is read."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfhvd.backbones import Backbone
from selfhvd.datasets import DatasetClip
from selfhvd.errors import InputError, OutputError
from selfhvd.system.disk import filled, free_in, in_bytes
from selfhvd.training.aligned_store import record_bytes
from selfhvd.training.recipe import Recipe
from selfhvd.video.image_frames import ImageFrames
from selfhvd.video.probe import probe

log = logging.getLogger(__name__)

_RESTORED_BYTES = 1
"""Of a pixel of a restored frame as PNG, typically."""
_STATES = 12
"""Times the parameters that are kept: network, snapshot and two moments of Adam; this state, the one before, and the
one that is being written."""


@dataclass(frozen=True)
class TrainingRoom:
    """Bytes that a training fills in its folder, at most about."""

    cache: int
    """Videos laid out as lossless frames; they stay."""
    material: int
    """What is learned from, of one stage; of a training per clip that of the largest."""
    state: int
    """To go on from."""
    result: int
    """Weights, and what a training per clip restores; they stay."""

    @property
    def total(self) -> int:
        """All of them at once."""
        return self.cache + self.material + self.state + self.result


@dataclass(frozen=True)
class _Head:
    frames: int
    pixels: int
    cache: int


def needed_room(clips: Sequence[DatasetClip], recipe: Recipe, network: Backbone) -> TrainingRoom:
    """What a training will fill, going by the first frame of each clip; what cannot be read is told of later."""
    heads = [head for clip in clips for head in _heads(clip, truth=recipe.method.teach == "truth")]
    method, needs = recipe.method, network.needs
    least = 1 if needs.window == 1 else method.batch.window  # a run of consecutive frames is taken whole
    each = [min(head.frames, max(method.frames, least)) * head.pixels for head in heads]
    rounds = 2 if method.align_every else 1  # that before is kept beside the one that is learned from
    sides = method.candidates if needs.guides else int(method.teach != "truth")
    weights = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    restored = sum(head.frames * head.pixels for head in heads) * _RESTORED_BYTES
    return TrainingRoom(
        cache=sum(head.cache for head in heads),
        material=rounds * record_bytes(2 * sides) * (max(each, default=0) if recipe.per_clip else sum(each)),
        state=_STATES * weights,
        result=len(heads) * weights + restored if recipe.per_clip else weights,
    )


def _heads(clip: DatasetClip, *, truth: bool) -> Iterator[_Head]:
    """One, or none where the clip cannot be read."""
    try:
        if clip.video is None:
            height, width, _ = ImageFrames(clip.frame_paths[:1]).frame(0).shape
            laid_out = 0 if clip.truth_video is None or not truth else _laid_out(clip.truth_video)
            yield _Head(len(clip.frame_paths), height * width, laid_out)
        else:
            head = probe(clip.video)
            taught = _laid_out(clip.truth_video) if truth and clip.truth_video is not None else 0
            yield _Head(head.frames, head.pixels, head.frames * head.frame_bytes + taught)
    except InputError as error:
        log.debug("the room for %s is not known: %s", clip.name, error)


def _laid_out(video: Path) -> int:
    head = probe(video)
    return head.frames * head.frame_bytes


def check_room(clips: Sequence[DatasetClip], recipe: Recipe, network: Backbone, folder: Path) -> None:
    """Say what a training will fill, and refuse it where there is less room.

    Args:
        clips: of the dataset.
        recipe: of the training.
        network: that is trained.
        folder: of the run; what an earlier run of it holds already is not counted again.

    Raises:
        OutputError: there is less room than needed.
    """
    room, free = needed_room(clips, recipe, network), free_in(folder)
    videos = f", {in_bytes(room.cache)} of videos laid out" if room.cache else ""
    parts = f"{in_bytes(room.material)} of aligned frames{videos}"
    log.info("room: the training takes about %s on the disk (%s); %s free", in_bytes(room.total), parts, in_bytes(free))
    if room.total - filled(folder) > free:
        raise OutputError(
            f"The training needs about {in_bytes(room.total)} in {folder} ({parts}), {in_bytes(free)} are free; "
            "make room, choose another folder, or learn from fewer frames (method.frames, data.clips)."
        )
