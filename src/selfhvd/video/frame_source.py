"""A clip as the method sees it: frames by number, read when asked for."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


@runtime_checkable
class Frames(Protocol):
    """Anything with a length and frames by number; a video laid out on disk, or a list of arrays."""

    def __len__(self) -> int: ...

    def tensor(self, index: int) -> Float[Tensor, "3 height width"]:
        """RGB in [0, 1], float32."""
        ...


class ArrayFrames:
    """Frames that are already in memory: arrays `height width 3`, RGB, uint8."""

    def __init__(self, frames: Sequence[UInt8[np.ndarray, "height width 3"]]) -> None:
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def tensor(self, index: int) -> Float[Tensor, "3 height width"]:
        """See `Frames.tensor`."""
        return torch.from_numpy(np.array(self._frames[index])).permute(2, 0, 1).float() / 255


class FrameSlice:
    """Frames `start` to `end` (exclusive) of another source, numbered from 0."""

    def __init__(self, source: Frames, start: int, end: int) -> None:
        self._source, self._start, self._count = source, start, end - start

    def __len__(self) -> int:
        return self._count

    def tensor(self, index: int) -> Float[Tensor, "3 height width"]:
        """See `Frames.tensor`."""
        if not 0 <= index < self._count:
            raise IndexError(f"frame {index} is outside 0..{self._count - 1}")
        return self._source.tensor(self._start + index)


class RecentFrames:
    """Keeps the last few frames read from another source; the sharp frames around a place are asked for often."""

    def __init__(self, source: Frames, kept: int = 6) -> None:
        self._source, self._kept = source, kept
        self._recent: OrderedDict[int, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._source)

    def tensor(self, index: int) -> Float[Tensor, "3 height width"]:
        """See `Frames.tensor`."""
        if index not in self._recent:
            self._recent[index] = self._source.tensor(index)
            while len(self._recent) > self._kept:
                self._recent.popitem(last=False)
        self._recent.move_to_end(index)
        return self._recent[index]
