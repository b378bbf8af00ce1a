"""Decode a container into a frame cache. Runs in the child process."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import EOFError as EndOfFile
from av.error import FFmpegError

from selfhvd.errors import InputError
from selfhvd.video.colour import colour_of, known_matrix, to_rgb
from selfhvd.video.ending import Ending
from selfhvd.video.footage import Color, Footage, frame_path
from selfhvd.video.frame import Frame
from selfhvd.video.limits import Limits
from selfhvd.video.pngs import write_png
from selfhvd.video.reporting import Report
from selfhvd.video.sides import dolby_vision, light, mastering
from selfhvd.video.sources import choose, codec_name, open_source, tracks_of
from selfhvd.video.timing import forward
from selfhvd.video.upright import Orientation, orientation_of


@dataclass
class _First:
    """What the first frame settles for the whole clip."""

    stored: tuple[int, int]  # width, height in pixels before turning
    pixel_format: str
    depth: int
    rotation: int
    orientation: Orientation
    color: Color
    mastering: str
    light: str


@dataclass
class _Tally:
    """What is gathered frame by frame."""

    times: list[int] = field(default_factory=list[int])
    durations: list[int] = field(default_factory=list[int])
    keyframes: list[bool] = field(default_factory=list[bool])
    damaged: int = 0
    interlaced: int = 0
    untimed: int = 0

    def add(self, frame: av.VideoFrame, step: int) -> None:
        """Note the time of `frame`; `step` ticks after its predecessor where the file does not say."""
        time = time_of(frame)
        if time is None:
            self.untimed += 1
            time = self.times[-1] + (self.durations[-1] or step) if self.times else 0
        self.times.append(time)
        self.durations.append(frame.duration or 0)
        self.keyframes.append(bool(frame.key_frame))
        self.interlaced += frame.interlaced_frame
        self.damaged += frame.is_corrupt


def time_of(frame: av.VideoFrame) -> int | None:
    """Presentation time in ticks; AVI states decoding times only, which there are the same."""
    return frame.pts if frame.pts is not None else frame.dts


def decode_container(source: Path, folder: Path, limits: Limits, report: Report) -> Footage:
    """Decode `source` into `folder` frame by frame and return its record (not yet saved)."""
    with open_source(source, limits) as container:
        stream, notes = choose(container, source)
        _check_size(source, stream.codec_context.width, stream.codec_context.height, limits)
        stream.codec_context.options = {"max_pixels": str(limits.pixels)}
        ending, tally = Ending(source, container, stream), _Tally()
        step, total = _step(stream), stream.frames or None
        first: _First | None = None
        for frame in _frames(container, stream, ending, tally):
            index = len(tally.times)
            first = first or _settle(source, frame, notes)
            _check_frame(source, frame, first, index, limits)
            tally.add(frame, step)
            write_png(frame_path(folder, index), _picture(frame, first))
            report(frame=index + 1, total=total)
        if first is None:
            raise InputError(f"{source} holds no moving picture: no frame can be decoded; copy it again.")
        tally.times, repaired = forward(tally.times, step)
        if repaired:
            notes.append(f"{repaired} frame times ran backwards and were put between their neighbours")
        notes += _notes(tally, ending)
        return _footage(source, folder, container, stream, first, tally, notes)


def _frames(container: Any, stream: Any, ending: Ending, tally: _Tally) -> Any:  # noqa: ANN401 - PyAV's unions
    """Frames in presentation order; a packet that cannot be decoded is counted and passed over."""
    packets = container.demux()
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:
            ending.broken = True
            packet = None
        if packet is not None and (ending.cut_by(packet) or packet.stream_index != stream.index):
            continue
        try:
            yield from stream.decode(packet) if packet is None or packet.size else ()
        except EndOfFile:
            return
        except FFmpegError:
            tally.damaged += 1
        if packet is None:
            return


def _settle(source: Path, frame: av.VideoFrame, notes: list[str]) -> _First:
    """Read off the first frame what holds for all."""
    orientation = orientation_of(frame)
    if orientation is None:
        notes.append("the display matrix is no multiple of 90 degrees and is ignored")
    color = colour_of(frame)
    if not known_matrix(color):
        raise InputError(
            f"{source} uses a colour matrix that cannot be undone (number {color.matrix}); convert it first."
        )
    if dolby_vision(frame):
        notes.append("Dolby Vision metadata is dropped; the base layer's colours are kept")
    if frame.format.name in ("pal8", "bgra", "rgba", "argb", "abgr") or "yuva" in frame.format.name:
        notes.append("transparency is dropped")
    return _First(
        stored=(frame.width, frame.height),
        pixel_format=frame.format.name,
        depth=_depth(frame),
        rotation=frame.rotation,
        orientation=orientation or Orientation(),
        color=color,
        mastering=mastering(frame),
        light=light(frame),
    )


def _depth(frame: av.VideoFrame) -> int:
    """Bits per channel; palettes, 1-bit and packed 5-6-5 pictures count as 8."""
    bits = max((component.bits for component in frame.format.components), default=8)
    return max(8, bits)


def _picture(frame: av.VideoFrame, first: _First) -> Frame:
    """The frame upright, RGB."""
    return first.orientation.apply(to_rgb(frame, first.color, deep=first.depth > 8))


def _check_size(source: Path, width: int, height: int, limits: Limits) -> None:
    """Refuse frames larger than the limit before they are allocated."""
    if width * height > limits.pixels:
        raise InputError(f"{source} has frames of {width}x{height} pixels; at most {limits.pixels} are read.")


def _check_frame(source: Path, frame: av.VideoFrame, first: _First, index: int, limits: Limits) -> None:
    """Refuse a change of size in mid-stream, and more frames than the limit."""
    if (frame.width, frame.height) != first.stored or _depth(frame) != first.depth:
        before = "x".join(map(str, first.stored))
        raise InputError(
            f"{source} changes from {before} to {frame.width}x{frame.height} pixels ({frame.format.name})"
            f" at frame {index}; cut it there and restore the parts one by one."
        )
    _check_size(source, frame.width, frame.height, limits)
    if index >= limits.frames:
        raise InputError(f"{source} has more than {limits.frames} frames; cut it into parts.")


def _step(stream: Any) -> int:  # noqa: ANN401 - PyAV's stream
    """Ticks from frame to frame, going by the stream's stated rate."""
    rate = stream.average_rate or stream.base_rate or Fraction(30)
    return max(1, round(1 / (rate * stream.time_base))) if rate > 0 else 1


def _notes(tally: _Tally, ending: Ending) -> list[str]:
    """What went wrong on the way, in plain words."""
    notes: list[str] = []
    if ending.early():
        notes.append(f"source ends early at frame {len(tally.times)}")
    if tally.damaged:
        notes.append(f"{tally.damaged} damaged frames were skipped or concealed")
    if tally.untimed:
        notes.append(f"{tally.untimed} frames carry no time; times were derived from the frame rate")
    if tally.interlaced:
        notes.append(f"{tally.interlaced} frames are interlaced and are treated as full frames")
    return notes


def _footage(
    source: Path,
    folder: Path,
    container: Any,  # noqa: ANN401 - PyAV objects
    stream: Any,  # noqa: ANN401
    first: _First,
    tally: _Tally,
    notes: list[str],
) -> Footage:
    """Gather the record."""
    turned = first.orientation.transpose
    width, height = first.stored[::-1] if turned else first.stored
    ratio = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
    return Footage(
        source=source,
        folder=folder,
        kind="container",
        count=len(tally.times),
        width=width,
        height=height,
        depth=first.depth,
        times=tuple(tally.times),
        durations=tuple(tally.durations),
        time_base=Fraction(stream.time_base.numerator, stream.time_base.denominator),
        keyframes=tuple(tally.keyframes),
        codec=codec_name(stream),
        pixel_format=first.pixel_format,
        rotation=first.rotation,
        color=first.color,
        sample_aspect_ratio=1 / ratio if turned else ratio,
        container=container.format.name,
        stream=stream.index,
        tracks=tracks_of(container, stream),
        mastering=first.mastering,
        light=first.light,
        warnings=tuple(notes),
    )
