"""A part of a container: where it lies, in ticks of the picture, and the way there. Runs in the child process."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.error import FFmpegError

from selfhvd.video.footage import Footage
from selfhvd.video.limits import Limits
from selfhvd.video.part import Part
from selfhvd.video.read.demux import choose, open_source
from selfhvd.video.read.tally import time_of

_EARLIER = (0, 10)
"""Seconds before the part at which a key frame is looked for; an index may lead past the one that is needed."""


@dataclass(frozen=True)
class Span:
    """The times that are kept, in ticks; None is open."""

    origin: int | None = None
    """The time of the clip's first frame, as the decoder reports it."""
    start: Fraction | None = None
    end: Fraction | None = None
    """Exclusive."""

    def holds(self, time: int | None) -> bool:
        """Whether a time is kept; none at all is, where everything is."""
        if time is None:
            return self.start is None and self.end is None
        return not self.is_over(time) and (self.start is None or time >= self.start)

    def is_over(self, time: int) -> bool:
        """Whether a time lies behind all that is kept."""
        return self.end is not None and time >= self.end

    def held(self, times: Iterable[int]) -> list[int]:
        """Those that are kept."""
        return [time for time in times if self.holds(time)]

    def until_end(self, time: int, duration: int) -> int:
        """How much of a frame's `duration` lies in the span."""
        return duration if self.end is None else min(duration, max(1, int(self.end - time)))

    def marked(self, footage: Footage, late: int) -> Footage:
        """`footage` with where it begins and ends; `late` ticks were taken off its times."""
        begins = None if self.start is None else footage.seconds(0)
        ends = None if self.end is None else (self.end - late) * footage.time_base
        return replace(footage, begins=begins, ends=ends)


def span_of(source: Path, part: Part | None, limits: Limits) -> Span:
    """Where a part lies in a video file; its first frame is decoded for that."""
    if part is None:
        return Span()
    with open_source(source, limits) as container:
        stream, _ = choose(container, source)
        stream.codec_context.options = {"max_pixels": str(limits.pixels)}
        origin = _next_time(container, stream) or 0
        tick = Fraction(stream.time_base)
    start = origin + part.start / tick if part.start else None
    return Span(origin, start, None if part.end is None else origin + part.end / tick)


def open_at(source: Path, span: Span, limits: Limits) -> Any:  # noqa: ANN401 - PyAV's container
    """Open a video file at a key frame before the span, at its beginning where there is no such way."""
    container = open_source(source, limits)
    if span.start is None:
        return container
    for earlier in _EARLIER:
        if _sought(container, source, span, earlier, limits):
            return container
    container.close()
    return open_source(source, limits)


def _sought(container: Any, source: Path, span: Span, earlier: int, limits: Limits) -> bool:  # noqa: ANN401 - PyAV
    """Whether from here on every frame of the span will be decoded, and one before it, as deinterlacing wants."""
    stream, _ = choose(container, source)
    if container.format.name == "avi" or span.start is None or span.origin is None:
        return False  # AVI has no times
    place = int(span.start - earlier / Fraction(stream.time_base)) - 1
    if place <= span.origin:
        return False
    stream.codec_context.options = {"max_pixels": str(limits.pixels)}
    try:
        container.seek(place, stream=stream, backward=True)
        time = _next_time(container, stream, key=True)
        container.seek(place, stream=stream, backward=True)
    except FFmpegError:
        return False
    return time is not None and time < span.start


def _next_time(container: Any, stream: Any, *, key: bool = False) -> int | None:  # noqa: ANN401 - PyAV objects
    """When the next frame that can be decoded is shown, ticks; None if there is none, or it is no `key` frame."""
    try:
        frame = next(container.decode(stream), None)
    except FFmpegError:
        return None
    return None if frame is None or (key and not frame.key_frame) else time_of(frame)
