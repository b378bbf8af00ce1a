"""Draw training batches: windows of frames, one seeded crop, flip and rotation for all that belongs together."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.extensions.selection import SharpConfig
from selfhvd.method.batch import Batch
from selfhvd.method.rscr import remove_at_random, remove_sharp_clues, stand_ins
from selfhvd.training.aligned_store import AlignedStore, ItemMeta, Record

Supervision = Literal["truth", "label", "clues-removed", "any-removed"]
"""What a batch teaches: the truth; the aligned sharp frame (stage 1); the same with sharp clues removed (stage 2), or
with frames removed whether sharp or not (the control of Table 6)."""


@dataclass(frozen=True)
class BatchConfig:
    """Size and mixture of a batch."""

    crop: int = 256
    """Pixels a side, where the frame allows (paper: 256)."""
    size: int = 2
    """Windows a batch (paper: not published; the shipped config has 1 of 30 frames)."""
    window: int = 10
    """Frames a window at most; a network that looks at one frame at a time takes 1 (paper: not published, the shipped
    config has 30; fewer here for memory)."""
    guides: int = 2
    """Sharp frames the network takes beside each frame."""
    segment: int | None = None
    """Frames a segment of RSCR (paper: 20); None = those of `SharpConfig.segment`."""
    own_label_weight: float = 0.1
    """Chance of drawing a sharp frame, relative to others; in windows of several frames, its weight in the loss, 0..1.
    Such a frame is its own label and teaches to change nothing (derived)."""
    guide_dropout: float = 0.1
    """Chance that a guide is withheld when the truth is taught, so that the network can do without."""


@dataclass(frozen=True)
class _View:
    """A record's crop as tensors in [0, 1], turned."""

    frame: Float[Tensor, "3 height width"]
    guides: Float[Tensor, "candidate 3 height width"]
    trust: Float[Tensor, "candidate 1 height width"]
    truth: Float[Tensor, "3 height width"]
    seen: Float[Tensor, "candidate 1 height width"]


class Sampler:
    """Endless batches from the material of one clip or of many.

    Every window is a function of seed, lesson, step and its number in the batch alone: a run that is gone on with, and
    one that is shared among processes, draw the same batches.

    Args:
        materials: of each clip.
        lesson: what the batches teach.
        config: size and mixture.
        seed: another seed, other batches.
        share: number of this process, and how many there are; it draws every so-manieth window of a batch.
    """

    def __init__(
        self,
        materials: Sequence[AlignedStore],
        lesson: Supervision,
        config: BatchConfig,
        seed: int,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.materials, self.lesson, self.config, self.seed = materials, lesson, config, seed
        self._numbers = range(share[0], config.size, share[1])
        self._window = min(config.window, *map(len, materials))
        self._crop = tuple(
            min(config.crop, *sides) // 8 * 8 for sides in zip(*(m.size for m in materials), strict=True)
        )
        single = self._window == 1 and lesson != "truth"
        places: list[tuple[AlignedStore, int]] = []
        chances: list[float] = []
        for material in materials:
            for start in _runs([c.index for c in material.captions], self._window):
                places.append((material, start))
                chances.append(config.own_label_weight if single and material.captions[start].sharp else 1.0)
        self._places, self._chances = places, np.cumsum(np.array(chances) / sum(chances))

    def draw(self, step: int) -> Batch:
        """The batch of a step, on the CPU: this process's windows of it."""
        lesson = get_args(Supervision).index(self.lesson)
        windows = [self._window_of(np.random.default_rng([self.seed, lesson, step, n])) for n in self._numbers]
        return Batch(**{f.name: torch.stack([w[f.name] for w in windows]) for f in fields(Batch)})

    def _window_of(self, rng: np.random.Generator) -> dict[str, Tensor]:
        """The fields of a batch of one, without the batch axis."""
        drawn = int(np.searchsorted(self._chances, rng.random()))
        material, start = self._places[min(drawn, len(self._places) - 1)]
        slots = range(start, start + self._window)
        captions = [material.captions[slot] for slot in slots]
        views = self._views(material, slots, rng)
        removed = self._removed(captions, rng)
        kept_out = [c.sharp and self.lesson != "any-removed" for c in captions]
        standing = stand_ins([c.index for c in captions], kept_out, removed)
        withheld = [removed | ({_label_index(captions[k])} if self.lesson != "truth" else set()) for k in standing]
        full = [self._guides(view, caption, set()) for view, caption in zip(views, captions, strict=True)]
        left = [self._guides(views[k], captions[k], w) for k, w in zip(standing, withheld, strict=True)]
        labels = [self._label(views[k], captions[k]) for k in standing]
        return {
            "frames": torch.stack([view.frame for view in views]),
            "all_guides": torch.stack([guides for guides, _ in full]),
            "all_trust": torch.stack([trust for _, trust in full]),
            "standing": torch.tensor(standing),
            "guides": torch.stack([guides for guides, _ in left]),
            "trust": torch.stack([trust for _, trust in left]),
            "target": torch.stack([target for target, _, _ in labels]),
            "mask": torch.stack([mask for _, mask, _ in labels]),
            "visible": torch.tensor([visible for _, _, visible in labels]),
            "weight": torch.tensor([self._weight(captions[k]) for k in standing]),
        }

    def _weight(self, caption: ItemMeta) -> float:
        """A window of one frame is already drawn as often as it should count."""
        return self.config.own_label_weight if caption.sharp and self._window > 1 and self.lesson != "truth" else 1.0

    def _removed(self, captions: list[ItemMeta], rng: np.random.Generator) -> Set[int]:
        """Sharp frames taken out of the input: by RSCR in stage 2, now and then when the truth is taught."""
        guides = {j for c in captions for j in c.guides if j >= 0} if self.config.guides else set[int]()
        sharp = sorted(guides | {c.index for c in captions if c.sharp})
        segment = self.config.segment or SharpConfig.segment
        if self.lesson == "clues-removed":
            return remove_sharp_clues(sharp, segment, rng)
        if self.lesson == "any-removed":
            frames = sorted(guides | {c.index for c in captions})
            return remove_at_random(frames, sharp, segment, rng)
        if self.lesson == "truth":
            every = sorted({j for c in captions for j in c.guides})
            return {j for j in every if rng.random() < self.config.guide_dropout}
        return set()

    def _views(self, material: AlignedStore, slots: range, rng: np.random.Generator) -> list[_View]:
        """The same random crop, flips and quarter turns of every record of the window."""
        (height, width), (rows, columns) = material.size, self._crop
        top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        turns = turns if rows == columns else 2 * (turns // 2)
        return [_turned(material.crop(slot, top, left, rows, columns), turns, flip) for slot in slots]

    def _guides(self, view: _View, caption: ItemMeta, withheld: Set[int]) -> tuple[Tensor, Tensor]:
        """The nearest sharp frame before and the nearest after that are not withheld, with their trust."""
        chosen = choose_guides(caption, withheld, self.config.guides)
        there = torch.tensor([[[[float(g >= 0)]]] for g in chosen]).reshape(-1, 1, 1, 1)
        picks = [max(g, 0) for g in chosen]
        # A guide that is not there shows the frame itself, never by accident the label.
        return torch.where(there > 0, view.guides[picks], view.frame), view.trust[picks] * there

    def _label(self, view: _View, caption: ItemMeta) -> tuple[Tensor, Tensor, float]:
        """Target, mask and visible share: the truth, the frame itself if sharp, else the nearest sharp frame."""
        everywhere = torch.ones_like(view.frame[:1])
        if self.lesson == "truth":
            return view.truth, everywhere, 1.0
        if caption.sharp or caption.label < 0:
            return view.frame, everywhere, 1.0
        return view.guides[caption.label], view.trust[caption.label], float(view.seen[caption.label].mean())


def _runs(indices: Sequence[int], length: int) -> list[int]:
    """Slots at which `length` frames follow one another without a gap; all slots there are where none do."""
    slots = range(len(indices) - length + 1)
    return [s for s in slots if indices[s + length - 1] - indices[s] == length - 1] or list(slots)


def choose_guides(caption: ItemMeta, withheld: Set[int], count: int) -> tuple[int, ...]:
    """Positions among the caption's guides of the nearest usable sharp frame on each side; -1 where there is none."""
    sides = (
        [g for g, j in enumerate(caption.guides) if 0 <= j < caption.index],
        [g for g, j in enumerate(caption.guides) if j > caption.index],
    )
    usable = [[g for g in side if caption.guides[g] not in withheld] for side in sides]
    return tuple(next(iter(side), -1) for side in usable)[:count]


def _label_index(caption: ItemMeta) -> int:
    return -1 if caption.sharp or caption.label < 0 else caption.guides[caption.label]


def _turned(record: Record, turns: int, flip: bool) -> _View:
    def turn(array: np.ndarray, channels: int) -> Tensor:
        """`... height width channel` bytes -> turned `... channel height width` floats."""
        image = torch.from_numpy(array.reshape(*array.shape[: array.ndim - (channels > 1)], channels))
        image = torch.rot90(image.movedim(-1, -3), turns, dims=(-2, -1))
        return (image.flip(-1) if flip else image).contiguous().float() / 255

    seen = record.trust if record.seen is None else record.seen
    return _View(
        turn(record.frame, 3), turn(record.guides, 3), turn(record.trust, 1), turn(record.truth, 3), turn(seen, 1)
    )
