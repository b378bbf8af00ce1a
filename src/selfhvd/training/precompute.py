"""Precompute: the sharp frames around each training frame of a clip, aligned onto it, written to disk."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8

from selfhvd.extensions.selection import Selection
from selfhvd.flow.predictor import FlowPredictor
from selfhvd.method.align import AlignConfig, Guides, align_guides
from selfhvd.ops.quantize import quantize, to_pixels
from selfhvd.training.aligned_store import AlignedStore, ItemMeta, Record
from selfhvd.training.clip import TrainingClip
from selfhvd.training.config import Labels
from selfhvd.video.frame_source import RecentFrames


def make_material(
    folder: Path,
    clip: TrainingClip,
    numbers: Sequence[int],
    outputs: Callable[[int], Float[torch.Tensor, "3 height width"]],
    each_side: int,
    predictor: FlowPredictor,
    align: AlignConfig,
    labels: Labels,
    on_frame: Callable[[int], None],
) -> AlignedStore:
    """Align S_j onto R_i (Eq. 3) for each training frame i; one frame is in memory at a time.

    Args:
        folder: for the material; what an unfinished run left there is overwritten.
        clip: whose frames.
        numbers: of the training frames.
        outputs: gives R_i.
        each_side: sharp frames aligned from each side; 0 = none, and no output is asked for.
        predictor: the flow that aligns.
        align: constants of the alignment.
        labels: which sharp frames.
        on_frame: told how many frames are done.
    """
    recent = RecentFrames(clip.frames)
    height, width = recent.tensor(numbers[0]).shape[-2:]
    material = AlignedStore.create(folder, len(numbers), 2 * each_side, height, width)
    captions: list[ItemMeta] = []
    for slot, i in enumerate(numbers):
        around = labels_around(clip.selection, i, each_side, labels)
        guides = align_guides(outputs(i), recent, around, predictor, align) if each_side else None
        frame = to_pixels(recent.tensor(i))
        truth = frame if clip.truth is None else to_pixels(clip.truth.tensor(i))
        images, trust, seen = _pixels(guides, height, width)
        material.put(slot, Record(frame, images, trust, truth, seen))
        own = clip.selection.is_sharp(i) if labels == "worth" else i in clip.selection.sharp
        captions.append(ItemMeta(i, own, around))
        on_frame(slot + 1)
    material.finish(captions)
    return material


def labels_around(selection: Selection, index: int, each_side: int, labels: Labels) -> tuple[int, ...]:
    """The sharp frames that frame `index` is taught with: before, after, second before, ...; -1 where there is none."""
    if labels == "worth":
        return selection.around(index, each_side)
    before, after = [j for j in selection.sharp if j < index][::-1], [j for j in selection.sharp if j > index]
    sides = [(side + [-1] * each_side)[:each_side] for side in (before, after)]
    return tuple(j for pair in zip(*sides, strict=True) for j in pair)


def _pixels(
    guides: Guides | None, height: int, width: int
) -> tuple[
    UInt8[np.ndarray, "guide height width 3"],
    UInt8[np.ndarray, "guide height width"],
    UInt8[np.ndarray, "guide height width"],
]:
    """Guides, trust and what is seen as a record keeps them."""
    if guides is None:
        none = np.empty((0, height, width), np.uint8)
        return np.empty((0, height, width, 3), np.uint8), none, none
    seen = [F.interpolate(s[None], size=(height, width), mode="bilinear", align_corners=False) for s in guides.seen]
    return to_pixels(guides.images), quantize(guides.trust[:, 0]), quantize(torch.cat(seen)[:, 0])
