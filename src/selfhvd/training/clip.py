"""A clip that is learned from, and which of its frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from selfhvd.extensions.selection import Selection
from selfhvd.video.frame_source import Frames

Item = TypeVar("Item")


@dataclass(frozen=True)
class TrainingClip:
    """Frames, and which of them are sharp."""

    frames: Frames
    selection: Selection
    truth: Frames | None = None
    """What the frames should be, where that is known; read only where the truth is taught."""
    name: str = "clip"
    """Unique among the clips, fit for a relative path."""


def training_frames(selection: Selection, count: int, most: int, run: int = 1, evenly: bool = False) -> tuple[int, ...]:
    """About `most` frames to train on: the blurry ones, spread evenly, and a few sharp ones.

    A network that looks at several frames gets runs of `run` consecutive frames instead, spread evenly. `evenly`: sharp
    and blurry frames alike, where the truth is taught and sharp ones have something to teach, too.
    """
    if run > 1:
        starts = spread(range(max(count - run, 0) + 1), max(1, most // run))
        return tuple(sorted({i for start in starts for i in range(start, min(start + run, count))}))
    if evenly:
        return tuple(spread(range(count), most))
    blurry = [i for i in range(count) if not selection.is_sharp(i)]
    sharp = [i for i in range(count) if selection.is_sharp(i)]
    few = min(max(1, most // 6), len(sharp))
    return tuple(sorted([*spread(blurry, most - few), *spread(sharp, few)]))


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` of `items`, evenly spread."""
    if len(items) <= most:
        return list(items)
    if most == 1:
        return [items[len(items) // 2]]
    return [items[round(n * (len(items) - 1) / (most - 1))] for n in range(most)]
