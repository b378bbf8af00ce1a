"""The packets of a source's other tracks that belong to a result: all, or those of a part."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.error import FFmpegError

from selfhvd.video.footage import Footage
from selfhvd.video.limits import Limits
from selfhvd.video.read.demux import codec_name, open_source
from selfhvd.video.write.amr import single_frames

_APART = 60
"""Seconds by which a file may hold a packet before or behind others of its time, and that a subtitle may be shown."""


@dataclass(frozen=True)
class Bounds:
    """Where a part begins and ends, in seconds of the source; None is open."""

    begins: Fraction | None = None
    ends: Fraction | None = None

    @classmethod
    def of(cls, footage: Footage) -> "Bounds":
        """Those of a footage: its picture's."""
        return cls(footage.begins, footage.ends)

    @property
    def is_open(self) -> bool:
        """Whether everything is held."""
        return self.begins is None and self.ends is None

    def trimmed(self, start: Fraction, end: Fraction) -> tuple[Fraction, Fraction] | None:
        """What of a stretch of time lies within; None if nothing does."""
        first = start if self.begins is None else max(start, self.begins)
        last = end if self.ends is None else min(end, self.ends)
        return (first, last) if first < last else None

    def hold(self, time: Fraction) -> bool:
        """Whether `time` lies within."""
        return (self.begins is None or time >= self.begins) and (self.ends is None or time < self.ends)

    def are_far_behind(self, time: Fraction) -> bool:
        """Whether nothing that lies within can follow a packet of this time in a file."""
        return self.ends is not None and time > self.ends + _APART


def packets_of(container: Any, indices: Sequence[int], bounds: Bounds) -> Iterator[tuple[int, Any]]:  # noqa: ANN401 - PyAV
    """Stream and packet, as muxers take them, of the streams `indices`, in the order of the file.

    Sound is held by its beginning, so it begins with the part but for less than a packet. Subtitles and timed data are
    held by the time that they stand for, and cut to it.
    """
    before = 0 if bounds.begins is None else bounds.begins - _APART
    if before > 0 and container.format.name != "avi":  # whose times are counted from its start
        with suppress(FFmpegError):  # then all is read
            container.seek(int(1_000_000 * before), backward=True)
    streams = [container.streams[index] for index in indices]
    codecs = {stream.index: codec_name(stream) for stream in streams}
    standing = {stream.index for stream in streams if stream.type in ("subtitle", "data")}
    for whole in container.demux(streams) if streams else ():
        if not whole.size or (whole.pts is None and whole.dts is None):
            continue
        number = whole.stream_index
        if bounds.are_far_behind(time_of(whole)):
            return
        for packet in single_frames(whole, codecs[number]):
            if bounds.is_open or (_cut(packet, bounds) if number in standing else bounds.hold(time_of(packet))):
                yield number, packet


def _cut(packet: Any, bounds: Bounds) -> bool:  # noqa: ANN401 - PyAV packet
    """Cut a packet to the time that it stands for within; False if that is none."""
    start, tick = time_of(packet), Fraction(packet.time_base)
    if not packet.duration:
        return bounds.hold(start)
    inside = bounds.trimmed(start, start + packet.duration * tick)
    if inside is None:
        return False
    first = -int(-inside[0] / tick // 1)  # not before the part
    packet.duration = max(1, int(inside[1] / tick) - first)
    packet.dts = first if packet.dts is None else max(packet.dts, first)
    packet.pts = first if packet.pts is None else max(packet.pts, first)
    return True


def first_times(path: Path, indices: Sequence[int], bounds: Bounds) -> dict[int, Fraction]:
    """When the first packet of each stream comes, in seconds; a stream without one is left out."""
    found: dict[int, Fraction] = {}
    with open_source(path, Limits()) as source, suppress(FFmpegError):  # a source that breaks off
        for number, packet in packets_of(source, indices, bounds):
            found.setdefault(number, time_of(packet))
            if len(found) == len(indices):
                break
    return found


def time_of(packet: Any) -> Fraction:  # noqa: ANN401 - PyAV packet
    """When a packet is to be presented, in seconds."""
    ticks = packet.pts if packet.pts is not None else packet.dts
    return Fraction(ticks) * Fraction(packet.time_base)
