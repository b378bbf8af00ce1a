"""Temporal: each restored frame blended with the restored frames beside it, in passes over the clip (ours)."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.extensions.deflicker import steadied
from selfhvd.extensions.selection import Selection
from selfhvd.flow.predictor import FlowPredictor, Motion
from selfhvd.method.align import AlignConfig, Aligned, align_by, reduced
from selfhvd.system.threads import one_thread

_KEPT = 4
"""Motions between neighbours in memory: a pass follows two frames behind the one before it."""


class NeighbourMotions:
    """How each frame moved since the frame before, found in the first pass and taken for the others."""

    def __init__(self, predictor: FlowPredictor, align: AlignConfig) -> None:
        self._predictor, self._align = predictor, align
        self._recent: OrderedDict[int, Motion] = OrderedDict()

    def aligned(
        self, index: int, previous: Float[Tensor, "1 3 height width"], frame: Float[Tensor, "1 3 height width"]
    ) -> tuple[Aligned, Aligned]:
        """Frame `index` on the grid of the frame before it, and the other way."""
        if index not in self._recent:
            small = (reduced(image, self._align) for image in (previous, frame))
            self._recent[index] = Motion(*self._predictor.both(*small))
            while len(self._recent) > _KEPT:
                self._recent.popitem(last=False)
        motion = self._recent[index]
        after, before = align_by([motion, motion.reversed()], [frame, previous], self._align)
        return after, before


@dataclass(frozen=True)
class TemporalBlend:
    """One pass over restored frames in order; three of them are held at a time."""

    selection: Selection
    passed_through: tuple[bool, ...]
    """Whether each frame came back as it came."""
    motions: NeighbourMotions
    steadiness: float
    """Part of a frame that each neighbour gives."""
    device: torch.device

    def over(
        self, frames: Iterator[Float[Tensor, "3 height width"]], first: int, amount: float
    ) -> Iterator[Float[Tensor, "3 height width"]]:
        """Each of `frames`, the first of them number `first`, as far as `amount` blended with those beside it."""
        before: Aligned | None = None
        held: Tensor | None = None
        index = first
        for index, frame in enumerate(frames, start=first):
            if held is not None:
                after, behind = self._beside(index, held, frame)
                yield held.lerp(self._blended(index - 1, held, before, after), amount)
                before = behind
            held = frame
        if held is not None:
            yield held.lerp(self._blended(index, held, before, None), amount)

    @torch.inference_mode()
    def _beside(
        self, index: int, previous: Float[Tensor, "3 height width"], frame: Float[Tensor, "3 height width"]
    ) -> tuple[Aligned | None, Aligned | None]:
        """Frame `index` on the grid of the frame before it, and the other way; nothing where neither may change."""
        if self._stands_alone(index - 1) and self._stands_alone(index):
            return None, None
        previous, frame = previous.to(self.device), frame.to(self.device)
        return self.motions.aligned(index, previous[None], frame[None])

    @torch.inference_mode()
    def _blended(
        self, index: int, frame: Float[Tensor, "3 height width"], *beside: Aligned | None
    ) -> Float[Tensor, "3 height width"]:
        if self._stands_alone(index):
            return frame
        there = [neighbour for neighbour in beside if neighbour is not None]
        noise, sharp = self.selection.noise, self.selection.is_sharp(index)
        with one_thread():
            return steadied(frame.to(self.device), there, self.steadiness, noise, sharp)

    def _stands_alone(self, index: int) -> bool:
        """Whether frame `index` takes nothing from those beside it: sharp, and without noise, it would only lose."""
        return self.passed_through[index] or (self.selection.is_sharp(index) and not self.selection.noise)
