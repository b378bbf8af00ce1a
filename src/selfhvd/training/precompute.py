"""Precompute: the sharp frames around each training frame of a clip, aligned onto it, written to disk."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8

from selfhvd.flow.predictor import FlowPredictor
from selfhvd.method.align import AlignConfig, Guides, align_guides
from selfhvd.ops.quantize import quantize, to_pixels
from selfhvd.training.aligned_store import AlignedStore, ItemMeta, Record
from selfhvd.training.clip import TrainingClip
from selfhvd.video.frame_source import RecentFrames


def make_material(
    folder: Path,
    clip: TrainingClip,
    numbers: Sequence[int],
    outputs: Callable[[int], Float[torch.Tensor, "3 height width"]],
    each_side: int,
    predictor: FlowPredictor,
    align: AlignConfig,
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
        on_frame: told how many frames are done.
    """
    recent = RecentFrames(clip.frames)
    height, width = recent.tensor(numbers[0]).shape[-2:]
    material = AlignedStore.create(folder, len(numbers), 2 * each_side, height, width)
    captions: list[ItemMeta] = []
    for slot, i in enumerate(numbers):
        around = clip.selection.around(i, each_side)
        guides = align_guides(outputs(i), recent, around, predictor, align) if each_side else None
        frame = to_pixels(recent.tensor(i))
        truth = frame if clip.truth is None else to_pixels(clip.truth.tensor(i))
        material.put(slot, Record(frame, *_pixels(guides, height, width), truth))
        captions.append(ItemMeta(i, clip.selection.is_sharp(i), around, () if guides is None else guides.visible))
        on_frame(slot + 1)
    material.finish(captions)
    return material


def _pixels(
    guides: Guides | None, height: int, width: int
) -> tuple[UInt8[np.ndarray, "guide height width 3"], UInt8[np.ndarray, "guide height width"]]:
    """Guides and trust as a record keeps them."""
    if guides is None:
        return np.empty((0, height, width, 3), np.uint8), np.empty((0, height, width), np.uint8)
    return to_pixels(guides.images), quantize(guides.trust[:, 0])
