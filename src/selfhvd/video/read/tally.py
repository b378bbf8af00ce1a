"""What is gathered while a container is decoded, frame by frame."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from selfhvd.video.read.side_data import dropped
from selfhvd.video.read.truncation import Ending

_NAMED = 8  # runs of frames that a warning lists


@dataclass
class Tally:
    """Times, flags and faults."""

    times: list[int] = field(default_factory=list[int])
    durations: list[int] = field(default_factory=list[int])
    keyframes: list[bool] = field(default_factory=list[bool])
    repeated: list[int] = field(default_factory=list[int])  # frames that stand in for lost ones
    corrupt: list[int] = field(default_factory=list[int])  # frames that the decoder mended
    interlaced: int = 0
    untimed: int = 0
    following: int = 0  # when a frame that carries no time is shown
    dropped: set[str] = field(default_factory=set[str])  # kinds of side data that will not be in the result

    def add(self, frame: Any, step: int) -> None:  # noqa: ANN401 - PyAV frame
        """Note the time of `frame`; `step` ticks after its predecessor where the file does not say."""
        self.untimed += time_of(frame) is None
        if frame.is_corrupt:
            self.corrupt.append(len(self.times))
        self.times.append(self.when(frame))
        self.pass_by(frame, step)
        self.durations.append(frame.duration or 0)
        self.keyframes.append(bool(frame.key_frame))
        self.dropped |= dropped(frame)
        self.interlaced += frame.interlaced_frame

    def when(self, frame: Any) -> int:  # noqa: ANN401 - PyAV frame
        """When `frame` is shown, ticks."""
        time = time_of(frame)
        return self.following if time is None else time

    def pass_by(self, frame: Any, step: int) -> None:  # noqa: ANN401 - PyAV frame
        """Note that `frame`, kept or not, has been shown."""
        self.following = self.when(frame) + (frame.duration or step)

    def add_repeat(self, time: int, step: int) -> None:
        """Note a frame that repeats its neighbour at `time`."""
        self.following = time + step
        self.repeated.append(len(self.times))
        self.times.append(time)
        self.durations.append(0)
        self.keyframes.append(False)

    def notes(self, ending: Ending) -> list[str]:
        """What is not in the result as it is in the source, in plain words."""
        notes = self.faults(ending)
        if self.repeated:
            notes.append(f"damaged frames repeat their neighbours: {listed(self.repeated)}")
        if self.untimed:
            notes.append(f"{self.untimed} frames carry no time; times were derived from the frame rate")
        if self.interlaced:
            notes.append(
                f"{self.interlaced} frames are marked interlaced; their combing was taken out at the same rate"
            )
        notes += [f"{what} cannot be kept" for what in sorted(self.dropped)]
        return notes

    def faults(self, ending: Ending) -> list[str]:
        """What is wrong with the source."""
        faults = [f"source ends early at frame {len(self.times)}"] if ending.early() else []
        if self.corrupt:
            faults.append(f"damaged frames were mended by the decoder and may show it: {listed(self.corrupt)}")
        return faults


def time_of(frame: Any) -> int | None:  # noqa: ANN401 - PyAV frame
    """Presentation time in ticks; AVI states decoding times only, which there are the same."""
    return frame.pts if frame.pts is not None else frame.dts


def listed(numbers: Sequence[int]) -> str:
    """Rising numbers as runs: `3-5, 9`; no more than a few."""
    breaks = [n for n, (one, two) in enumerate(pairwise(numbers), 1) if two != one + 1]
    edges = [0, *breaks, len(numbers)]
    runs = [(numbers[a], numbers[b - 1]) for a, b in pairwise(edges)]
    words = [str(a) if a == b else f"{a}-{b}" for a, b in runs[:_NAMED]]
    return ", ".join(words) + (f" and {len(runs) - _NAMED} more runs" if len(runs) > _NAMED else "")
