"""RSCR, random sharp clue removal: B̃ is B without some of its sharp frames (the input of SEVD)."""

from collections.abc import Sequence, Set

import numpy as np


def remove_sharp_clues(sharp: Sequence[int], segment: int, rng: np.random.Generator) -> frozenset[int]:
    """RSCR, Random Sharp Clue Removal: which sharp frames are taken out of the input.

    In each segment of `segment` frames, n of its N sharp frames go, n uniform in 1..N (derived: the count is not
    published). `sharp` holds frame numbers.
    """
    removed: set[int] = set()
    for number in sorted({j // segment for j in sharp}):
        clues = [j for j in sharp if j // segment == number]
        count = int(rng.integers(1, len(clues) + 1))
        removed.update(int(j) for j in rng.choice(clues, size=count, replace=False))
    return frozenset(removed)


def remove_at_random(
    frames: Sequence[int], sharp: Sequence[int], segment: int, rng: np.random.Generator
) -> frozenset[int]:
    """The control of Table 6: of each segment as many frames as RSCR would take, but any of `frames`, sharp or not."""
    removed: set[int] = set()
    for number in sorted({j // segment for j in sharp}):
        there = [i for i in frames if i // segment == number]
        count = int(rng.integers(1, sum(j // segment == number for j in sharp) + 1))
        removed.update(int(i) for i in rng.choice(there, size=min(count, len(there)), replace=False))
    return frozenset(removed)


def stand_ins(indices: Sequence[int], sharp: Sequence[bool], removed: Set[int]) -> tuple[int, ...]:
    """k: the frame of B that stands at each position of B̃, as a position.

    A removed frame gives way to the blurry frame closest in time that is not removed itself (ties: the earlier), where
    there is one.

    Args:
        indices: frame numbers at the positions, ascending.
        sharp: whether each of them is sharp.
        removed: frame numbers taken out by RSCR.
    """
    blurry = [p for p, is_sharp in enumerate(sharp) if not is_sharp and indices[p] not in removed]
    return tuple(
        min(blurry, key=lambda q, i=i: (abs(indices[q] - i), q)) if i in removed and blurry else p
        for p, i in enumerate(indices)
    )
