"""Fitting: the encoder's rate factor at which the result is about as large as its source.

The first restored frames are encoded to nowhere. What the whole will take is told by that and by stretches of the
source's own frames from all over the clip; it is compared with what the source took.
"""

import io
import math
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any

import av

from selfhvd.video.footage import Footage
from selfhvd.video.write import codecs
from selfhvd.video.write.encoder_choice import Plan, frame_rate
from selfhvd.video.write.picture_stream import video_stream

_TRIED = 16
"""Frames of the trial, fewer where they are large."""
_APART, _MOST = 30, 5
"""A stretch of the source's frames in so many, and at most so many (two at least)."""
_STRETCH, _AHEAD = 9, 12
"""Frames of each, and after them: an encoder spends more on frames that it sees others refer to."""
_HASTY = {"libx264": {"preset": "veryfast"}, "libx265": {"preset": "ultrafast"}}
"""With these an encoder tells in a third to half of the time how much longer the whole is than a part, within a
twentieth."""
_KEY_FRAMES = 250
"""Frames between two key frames, by the encoders' default."""
_LEAST_USED, _AIMED_AT = 0.9, 0.95
"""Part of the room that is used at least, and that is aimed at."""
_DISTINCT = 0.5
"""Rate factors further apart than this tell how fast the bytes fall."""
_MEMORY = 100_000_000
"""Bytes that they may take."""
_WORST = 36.0
"""H.264's rate factor beyond which loss is plain to see, whatever the source was."""


class _Curve:
    """What the first frames take, in bytes, at each rate factor that was tried."""

    def __init__(self, trial: Callable[[float], int], halving: float) -> None:
        self._trial, self._slope = trial, -1 / halving
        self._tried: dict[float, float] = {}

    def taken(self, crf: float) -> float:
        """At `crf`, which is tried once."""
        if crf not in self._tried:
            self._tried[crf] = math.log2(max(1, self._trial(crf)))
        return 2 ** self._tried[crf]

    def meeting(self, taken: float) -> float:
        """The rate factor at which so much is taken, told by the two tries that come nearest."""
        wanted = math.log2(max(1.0, taken))
        near = sorted(self._tried.items(), key=lambda tried: abs(tried[1] - wanted))[:2]
        (crf, here), slope = near[0], self._slope
        if len(near) == 2 and abs(near[1][0] - crf) > _DISTINCT:
            slope = min((near[1][1] - here) / (near[1][0] - crf), 0.5 * slope)
        return crf + (wanted - here) / slope


def fitted(
    pictures: Iterable[av.VideoFrame], footage: Footage, chosen: Plan, source: Callable[[int], av.VideoFrame]
) -> tuple[dict[str, str], Iterator[av.VideoFrame]]:
    """The encoder's options for a plan, and all the pictures again.

    The plan's quality stands where it takes no more than the plan's `room`; else as much less as fits in. `source`
    gives the source's own frame of a number.
    """
    pictures = iter(pictures)
    if chosen.quality is None or chosen.room is None:
        return chosen.options(), pictures
    first = list(islice(pictures, max(4, min(_TRIED, _MEMORY // (6 * footage.width * footage.height)))))
    step = codecs.halving(chosen.codec)
    best = codecs.crf_of(chosen.quality, chosen.codec)
    worst = best + (_WORST - 48 + 0.4 * chosen.quality) * step / 6
    curve = _Curve(lambda crf: sum(_trial(first, footage, chosen, chosen.options(crf))), step)

    def nearer(crf: float, room: float) -> float:
        """From one rate factor that at which the first frames take about `room` bytes, as far as is told."""
        curve.taken(crf)
        return min(worst, max(best, curve.meeting(_AIMED_AT * room)))

    def are_near(one: float, other: float) -> bool:
        return abs(one - other) < 0.75 * step

    total = chosen.room * sum(footage.sizes)
    crf = best + (worst - best) / 4  # where phones' clips are met, mostly
    if not are_near(guess := nearer(crf, total * len(first) / len(footage)), crf):  # were all frames alike
        crf = guess
    for _ in range(2):
        begun = crf
        hasty = chosen.options(crf) | _HASTY.get(chosen.codec, {})
        room = total / _whole(len(first), footage, chosen, hasty, source)
        for _ in range(4):
            over = curve.taken(crf) / max(1.0, room)
            if _LEAST_USED < over <= 1 or (over <= 1 and crf == best):
                break
            crf = nearer(crf, room)
        if are_near(crf, begun):  # the rest takes about the same part of the whole
            break
    return chosen.options(round(crf, 1) if step == 6 else round(crf)), chain(first, pictures)


def _whole(
    count: int, footage: Footage, chosen: Plan, options: dict[str, str], source: Callable[[int], av.VideoFrame]
) -> float:
    """How many times a trial of the first `count` frames the whole clip takes, told by the source's own."""
    if count >= len(footage):
        return 1.0
    number = max(2, min(_MOST, len(footage) // _APART))
    begins = [n * len(footage) // number for n in range(number)]
    parts = [range(begin, min(len(footage), begin + _STRETCH + _AHEAD)) for begin in begins]
    stretches = [_trial(map(source, part), footage, chosen, options) for part in parts]
    between = [size for sizes in stretches for size in sizes[1:_STRETCH]]
    keys = 1 + (len(footage) - 1) // _KEY_FRAMES
    whole = keys * stretches[0][0] + (len(footage) - keys) * sum(between) / max(1, len(between))
    return whole / max(1, sum(_trial(map(source, range(count)), footage, chosen, options)))


def _trial(pictures: Iterable[av.VideoFrame], footage: Footage, chosen: Plan, options: dict[str, str]) -> list[int]:
    """Bytes that each of the pictures takes."""
    sizes: list[int] = []
    with av.open(io.BytesIO(), "w", format="matroska") as nowhere:
        stream: Any = video_stream(nowhere, footage, chosen, options)
        for index, picture in enumerate(chain(pictures, (None,))):
            if picture is not None:
                picture.pts, picture.time_base = index, 1 / frame_rate(footage)
            sizes += [packet.size for packet in stream.encode(picture) if packet.size]
    return sizes
