"""Strength: how much of the restoration goes into the result, blended as it is written."""

from collections.abc import Iterable, Iterator

import numpy as np

from selfhvd.errors import UsageError
from selfhvd.video import Footage, Frame


def check_strength(strength: float) -> None:
    """`UsageError` unless it is in [0, 1]."""
    if not 0 <= strength <= 1:
        raise UsageError(f"The strength must be between 0 and 1, not {strength:g}.")


def at_strength(strength: float, footage: Footage, restored: Iterable[Frame]) -> Iterator[Frame]:
    """Each frame of a clip with so much of its restoration.

    Args:
        strength: in [0, 1]; 1 hands the restored frames on as they are, 0 gives the clip's own to the bit.
        footage: the clip.
        restored: all its frames, in order, as stored.
    """
    for index, after in enumerate(restored):
        yield after if strength == 1 else blend(footage.frame(index), after, strength)


def blend(before: Frame, after: Frame, strength: float) -> Frame:
    """B + strength * (R - B) in the frames' own code values, float32, rounded once."""
    start = before.astype(np.float32)
    return np.rint(start + strength * (after.astype(np.float32) - start)).astype(before.dtype)
