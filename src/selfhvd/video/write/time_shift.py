"""How far all streams are moved together, where a container cannot hold their times.

MPEG keeps 33 bits of a 90 kHz clock: a recording that runs over them comes out of the demuxer with times before
zero, or beyond what it can be written with. And nothing shows a picture before zero.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from itertools import islice
from math import ceil, lcm
from pathlib import Path
from typing import Any

from av.error import FFmpegError

from selfhvd.video.footage import Footage
from selfhvd.video.limits import Limits
from selfhvd.video.read.demux import open_source

_WRAP = Fraction(2**33, 90000)  # seconds
_WRAPPED = ("mpegts", "mpeg")
_LOOKED_AT = 256  # packets
_LONGER = 60  # seconds that sound may go on after the picture


def shift_of(footage: Footage, container: str, sound: Fraction | None, ticks: Sequence[Fraction]) -> Fraction:
    """Seconds to add to all times, a whole number of ticks of every stream; 0 where they can stay.

    `container` is the muxer; `sound` the first time of the copied streams and `ticks` their ticks, in seconds.
    """
    if container == "avi":
        return -footage.seconds(0)  # it begins with its first picture
    wrapped = container in _WRAPPED or footage.container in _WRAPPED
    first, last = footage.seconds(0), footage.seconds(len(footage) - 1) + _LONGER
    if wrapped and sound is not None:
        first = min(first, sound)
    if first >= 0 and not (wrapped and last >= _WRAP):
        return Fraction(0)
    step = reduce(_common, ticks, footage.time_base)
    return ceil(-first / step) * step


def first_time(path: Path, indices: Sequence[int]) -> Fraction | None:
    """The earliest time, in seconds, of the first packets of some streams; None if they have none."""
    times: list[Fraction] = []
    with open_source(path, Limits()) as source:
        streams = [source.streams[index] for index in indices]
        with suppress(FFmpegError):  # a source that breaks off
            for packet in islice(source.demux(streams), _LOOKED_AT) if streams else ():
                times += [ticks * packet.time_base for ticks in (packet.dts, packet.pts) if ticks is not None]
    return min(times, default=None)


def _common(one: Fraction, two: Fraction) -> Fraction:
    """The shortest time that is a whole number of both."""
    below = one.denominator * two.denominator
    return Fraction(lcm(one.numerator * two.denominator, two.numerator * one.denominator), below)


def move(packet: Any, shift: Fraction) -> None:  # noqa: ANN401 - PyAV packet
    """Move the times of a packet by `shift` seconds."""
    ticks = round(shift / packet.time_base)
    packet.pts = packet.pts + ticks if packet.pts is not None else None
    packet.dts = packet.dts + ticks if packet.dts is not None else None


def moved(footage: Footage, shift: Fraction) -> Footage:
    """`footage` with every frame `shift` seconds later."""
    ticks = round(shift / footage.time_base)
    return replace(footage, times=tuple(time + ticks for time in footage.times))
