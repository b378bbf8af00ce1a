"""A clip as the method sees it: frames by number, read when asked for."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from selfhvd.errors import UsageError
from selfhvd.video.frame import Picture, as_tensor, check_frame


@runtime_checkable
class Frames(Protocol):
    """Anything with a length and frames by number; a video laid out on disk, or a list of arrays."""

    def __len__(self) -> int: ...

    def tensor(self, index: int) -> Float[Tensor, "3 height width"]:
        """RGB in [0, 1], float32."""
        ...


class ArrayFrames:
    """Frames that are already in memory, alike in size.

    Raises:
        UsageError: one of them is no `Picture`, or of another size.
    """

    def __init__(self, frames: Sequence[Picture]) -> None:
        if not hasattr(frames, "__len__"):
            raise UsageError(f"Frames come as a list of arrays, or with a length, not as a {type(frames).__name__}.")
        for index in range(len(frames)):
            frame = frames[index]
            check_frame(frame, f"Frame {index}")
            if frame.shape != frames[0].shape:
                sizes = [f"{shape[1]}x{shape[0]}" for shape in (frame.shape, frames[0].shape)]
                raise UsageError(f"Frame {index} is {sizes[0]} but the first is {sizes[1]}; make them alike.")
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def tensor(self, index: int) -> Float[Tensor, "3 height width"]:
        """See `Frames.tensor`."""
        return as_tensor(self._frames[index])


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


LARGE = 250_000_000
"""Bytes that frames which are easily read again may take: six of 1080p, two of 4K."""


class RecentFrames:
    """Keeps the last few frames read from another source; the sharp frames around a place are asked for often.

    Args:
        source: of the frames.
        kept: so many of them.
        most: bytes that they may take, the last one aside; None: as many as they do.
    """

    def __init__(self, source: Frames, kept: int = 6, most: int | None = LARGE) -> None:
        self._source, self._kept, self._most = source, kept, most
        self._recent: OrderedDict[int, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._source)

    def tensor(self, index: int) -> Float[Tensor, "3 height width"]:
        """See `Frames.tensor`."""
        if index not in self._recent:
            frame = self._source.tensor(index)
            fit = self._kept if self._most is None else min(self._kept, max(1, self._most // max(1, frame.nbytes)))
            while len(self._recent) >= max(1, fit):
                self._recent.popitem(last=False)
            self._recent[index] = frame
        self._recent.move_to_end(index)
        return self._recent[index]
