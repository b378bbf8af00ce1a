"""Relatively sharp regions of a clip, as DaDeblur (He et al., ECCV 2024) finds its training patches.

Theirs: a tile is sharp below a threshold, which is bisected until there are about 0.2 regions a frame; a region is a
connected component whose bounding box is large enough, shrunk until half of each border is sharp; frames at the ends
are skipped; where no threshold helps, places are drawn by chance. Ours: the map (see `sharpness_map`), that it counts
tiles, and that sizes follow the frames'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import find_objects, label

from selfhvd.errors import InputError

_ROUNDS = 30


@dataclass(frozen=True)
class RegionConfig:
    """The rule by which regions are found."""

    per_frame: float = 0.2
    """Regions wanted for each frame of the clip."""
    tolerance: float = 3.0
    """Regions too many or too few that will do; at most half of those wanted."""
    first_threshold: float = 0.1
    least_threshold: float = 1e-5
    side: int = 256
    """Least height and width, pixels of a frame of 1280 x 720."""
    tile: int = 16
    """Pixels a side of the tiles, likewise (ours)."""
    sharp_border: float = 0.5
    """Share of a box's border that must be sharp."""
    ends: int = 2
    """A frame needs more than so many neighbours on both sides besides the first and the last frame."""


@dataclass(frozen=True)
class Region:
    """A box in a frame, pixels."""

    frame: int
    top: int
    left: int
    height: int
    width: int


@runtime_checkable
class Maps(Protocol):
    """A map of softness in [0, 1] for each frame."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Float[np.ndarray, "rows columns"]: ...


def demand_room(
    count: int, height: int, width: int, tile: int, side: int, config: RegionConfig = RegionConfig()
) -> None:
    """See to it that a clip of `count` frames can have regions at all.

    Raises:
        InputError: the clip is too short, or its frames are smaller than a region.
    """
    least = _tiles(side, tile) * tile
    if not _inner(count, config) or min(height, width) < least:
        raise InputError(
            f"DaDeblur's pairs need at least {2 * config.ends + 3} frames of {least} pixels a side;"
            f" the clip has {count} of {width} x {height}."
        )


def _inner(count: int, config: RegionConfig) -> range:
    return range(config.ends + 1, count - config.ends - 1)


def _tiles(side: int, tile: int) -> int:
    return -(-side // tile)


def find_regions(
    maps: Maps, tile: int, side: int, rng: np.random.Generator, config: RegionConfig = RegionConfig()
) -> tuple[Region, ...]:
    """Bisect the threshold until there are about as many regions as wanted; keep the nearest number that was met.

    Args:
        maps: softness of each tile of each frame of a clip that has room; see `demand_room`.
        tile: pixels a side of a tile.
        side: least height and width of a region, pixels.
        rng: draws places where no threshold gives any region.
        config: the rule; its `tile` and `side` are not looked at.
    """
    inner, (rows, columns), least = _inner(len(maps), config), maps[0].shape, _tiles(side, tile)
    wanted = max(1.0, config.per_frame * len(maps))
    low, threshold, high = 0.0, config.first_threshold, 1.0
    best: tuple[Region, ...] = ()
    for _ in range(_ROUNDS):
        found = tuple(r for i in inner for r in regions_of(maps[i] < threshold, i, tile, least, config.sharp_border))
        if found and (not best or abs(len(found) - wanted) < abs(len(best) - wanted)):
            best = found
        if abs(len(found) - wanted) < min(config.tolerance, wanted / 2) or threshold < config.least_threshold:
            break
        low, high = (threshold, high) if len(found) < wanted else (low, threshold)
        threshold = (low + high) / 2
    return best or _by_chance(round(wanted), inner, (rows, columns), tile, least, rng)


def regions_of(
    sharp: Bool[np.ndarray, "rows columns"], frame: int, tile: int, least: int, sharp_border: float = 0.5
) -> list[Region]:
    """The boxes of one frame's connected sharp tiles that are, and stay after shrinking, at least `least` tiles."""
    numbers, _ = cast(tuple[np.ndarray, int], label(sharp))
    boxes: Sequence[tuple[slice, slice]] = find_objects(numbers)
    found: list[Region] = []
    for rows, columns in boxes:
        if (rows.stop - rows.start) * (columns.stop - columns.start) < least * least:
            continue
        top, left, bottom, right = _shrunk(sharp, rows, columns, sharp_border)
        if min(bottom - top, right - left) >= least:
            found.append(Region(frame, top * tile, left * tile, (bottom - top) * tile, (right - left) * tile))
    return found


def _shrunk(
    sharp: Bool[np.ndarray, "rows columns"], rows: slice, columns: slice, sharp_border: float
) -> tuple[int, int, int, int]:
    """Top, left, bottom, right, in tiles: drop border lines that are not sharp enough, side by side."""
    top, left, bottom, right = rows.start, columns.start, rows.stop, columns.stop
    for side in ("left", "right", "top", "bottom", "left", "right"):
        while top < bottom and left < right:
            box = sharp[top:bottom, left:right]
            line = {"left": box[:, 0], "right": box[:, -1], "top": box[0], "bottom": box[-1]}[side]
            if line.mean() >= sharp_border:
                break
            left, right = left + (side == "left"), right - (side == "right")
            top, bottom = top + (side == "top"), bottom - (side == "bottom")
    return top, left, bottom, right


def _by_chance(
    count: int, frames: range, size: tuple[int, int], tile: int, least: int, rng: np.random.Generator
) -> tuple[Region, ...]:
    (rows, columns), side = size, least * tile
    draws = [
        (int(rng.choice(frames)), int(rng.integers(rows - least + 1)), int(rng.integers(columns - least + 1)))
        for _ in range(count)
    ]
    return tuple(Region(frame, row * tile, column * tile, side, side) for frame, row, column in sorted(draws))
