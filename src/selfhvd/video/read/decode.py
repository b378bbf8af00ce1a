"""Decode a container into a frame cache. Runs in the child process."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import EOFError as EndOfFile
from av.error import FFmpegError

from selfhvd.errors import InputError
from selfhvd.video.colour import colour_of, known_matrix, to_rgb
from selfhvd.video.footage import Color, Footage
from selfhvd.video.frame import Frame
from selfhvd.video.limits import Limits
from selfhvd.video.part import Part, nothing_in
from selfhvd.video.process.protocol import Report
from selfhvd.video.read.deinterlace import progressive
from selfhvd.video.read.demux import choose, codec_name, tag_of, tracks_of
from selfhvd.video.read.keep import Keeper
from selfhvd.video.read.missing_frames import Promised
from selfhvd.video.read.motion_photo import embedded_video
from selfhvd.video.read.orientation import Orientation, orientation_of
from selfhvd.video.read.seek import Span, open_at, span_of
from selfhvd.video.read.side_data import dolby_vision, light, marks, mastering
from selfhvd.video.read.tally import Tally, time_of
from selfhvd.video.read.transparency import marked_transparent, see_through
from selfhvd.video.read.truncation import Ending
from selfhvd.video.write.decode_times import forward

_WITHOUT_PHOTO = "a motion photo: the result is the video in it, without the photo"


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
    marks: tuple[str, ...]


def decode_container(source: Path, folder: Path, limits: Limits, report: Report, part: Part | None = None) -> Footage:
    """Decode `source`, or a part of it, into `folder` frame by frame and return its record (not yet saved)."""
    span = span_of(source, part, limits)
    with open_at(source, span, limits) as container, Keeper(folder, limits, report) as keeper:
        stream, notes = choose(container, source)
        _check_size(source, stream.codec_context.width, stream.codec_context.height, limits)
        stream.codec_context.options = {"max_pixels": str(limits.pixels)}
        ending, promised = Ending(source, container, stream), Promised()
        keeper.total = None if part else stream.frames or None
        reel = _Reel(source, keeper, limits, _step(stream))
        frames = _frames(container, stream, ending, promised, reel.sizes, span)
        for frame, shown in progressive(frames, stream):
            lost = span.held(promised.missed(time_of(frame)))
            if span.is_over(reel.tally.when(frame)):
                ending.left = True
                reel.repeat(lost)
                break
            if not span.holds(reel.tally.when(frame)):
                reel.tally.pass_by(frame, reel.step)
                report(passed=reel.tally.following)  # a sign of life
                continue
            if reel.first is None:
                reel.first = _settle(source, frame, notes)
            _check_frame(source, frame, reel.first, len(reel.tally.times), limits)
            picture = _picture(shown, reel.first)
            reel.repeat(lost, picture)
            reel.add(frame, picture)
        first, tally = reel.first, reel.tally
        if first is None:
            raise InputError(nothing_in(source, part))
        if not ending.left:
            reel.repeat(span.held(promised.missed(None)))
        tally.durations[-1] = span.until_end(tally.times[-1], tally.durations[-1])
        if reel.transparent or marked_transparent(stream):
            notes.append("transparency is dropped: what lies under it is shown whole")
        late = _late(container, stream, tally.times[0] if span.origin is None else span.origin)
        tally.times, repaired = forward([time - late for time in tally.times], reel.step)
        if repaired:
            notes.append(f"{repaired} frame times ran backwards and were put between their neighbours")
        notes += tally.notes(ending)
        faults = tally.faults(ending)
        if embedded_video(source) is not None:
            notes.insert(0, _WITHOUT_PHOTO)
            faults.insert(0, _WITHOUT_PHOTO)
        footage = _footage(source, folder, container, stream, first, reel, notes, faults)
        return span.marked(footage, late)


class _Reel:
    """The cache as it fills: each frame's picture and what is noted of it."""

    def __init__(self, source: Path, keeper: Keeper, limits: Limits, step: int) -> None:
        self.source, self.keeper, self.limits, self.step = source, keeper, limits, step
        self.first: _First | None = None
        self.tally = Tally()
        self.sizes: list[int] = []  # bytes of each packet
        self.width = self.height = 0  # pixels of the pictures as they are kept
        self.transparent = False

    def add(self, frame: av.VideoFrame, picture: Frame) -> None:
        """Cache a frame."""
        kept = self.keeper.keep(picture)
        self.height, self.width = kept.shape[:2]
        self.transparent = self.transparent or see_through(frame)
        self.tally.add(frame, self.step)

    def repeat(self, times: list[int], following: Frame | None = None) -> None:
        """Put the frame before, or else the `following` one, at `times` whose own frames are lost."""
        for time in times:
            index = len(self.tally.times)
            if index == 0 and following is None:
                continue
            _check_count(self.source, index, self.limits)
            if index:
                self.keeper.repeat()
            elif following is not None:
                self.keeper.keep(following)
            self.tally.add_repeat(time, self.step)


def _late(container: Any, stream: Any, first: int) -> int:  # noqa: ANN401 - PyAV objects
    """Ticks by which the decoder reports the frames later than the container means them.

    AVI has no times, and its first frame is always shown at the start; what the decoder reports there, `first`, is late
    by the frames it held back for reordering.
    """
    return first - (stream.start_time or 0) if container.format.name == "avi" else 0


def _frames(
    container: Any,  # noqa: ANN401 - PyAV objects
    stream: Any,  # noqa: ANN401
    ending: Ending,
    promised: Promised,
    sizes: list[int],
    span: Span,
) -> Any:  # noqa: ANN401 - PyAV's unions
    """Frames in presentation order; a packet that cannot be decoded is counted and passed over.

    `sizes` takes down the bytes of each packet of the span.
    """
    packets = container.demux()
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:
            ending.broken = True
            packet = None
        if packet is not None and (ending.cut_by(packet) or packet.stream_index != stream.index):
            continue
        if packet is not None:
            promised.expect(packet)
            if span.holds(packet.pts if packet.pts is not None else packet.dts):
                sizes.append(packet.size)
        try:
            yield from stream.decode(packet) if packet is None or packet.size else ()
        except EndOfFile:
            return
        except FFmpegError:
            promised.damage += 1
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
    return _First(
        stored=(frame.width, frame.height),
        pixel_format=frame.format.name,
        depth=_depth(frame),
        rotation=frame.rotation,
        orientation=orientation or Orientation(),
        color=color,
        mastering=mastering(frame),
        light=light(frame),
        marks=marks(frame),
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
    _check_count(source, index, limits)


def _check_count(source: Path, index: int, limits: Limits) -> None:
    """Refuse more frames than the limit."""
    if index >= limits.frames:
        raise InputError(f"{source} has more than {limits.frames} frames; cut it into parts.")


def _step(stream: Any) -> int:  # noqa: ANN401 - PyAV's stream
    """Ticks from frame to frame, going by the stream's stated rate."""
    rate = stream.average_rate or stream.base_rate or Fraction(30)
    return max(1, round(1 / (rate * stream.time_base))) if rate > 0 else 1


def _footage(
    source: Path,
    folder: Path,
    container: Any,  # noqa: ANN401 - PyAV objects
    stream: Any,  # noqa: ANN401
    first: _First,
    reel: _Reel,
    notes: list[str],
    faults: list[str],
) -> Footage:
    """Gather the record."""
    tally = reel.tally
    ratio = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
    return Footage(
        source=source,
        folder=folder,
        kind="container",
        count=len(tally.times),
        width=reel.width,
        height=reel.height,
        depth=first.depth,
        times=tuple(tally.times),
        durations=tuple(tally.durations),
        time_base=Fraction(stream.time_base.numerator, stream.time_base.denominator),
        keyframes=tuple(tally.keyframes),
        codec=codec_name(stream),
        pixel_format=first.pixel_format,
        rotation=first.rotation,
        color=first.color,
        sample_aspect_ratio=1 / ratio if first.orientation.transpose else ratio,
        container=container.format.name,
        stream=stream.index,
        tracks=tracks_of(container, stream),
        mastering=first.mastering,
        light=first.light,
        profile=tag_of(stream),
        sizes=tuple(size for size in reel.sizes if size),
        marks=first.marks,
        warnings=tuple(notes),
        faults=tuple(faults),
    )
