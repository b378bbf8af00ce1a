"""Fitting: the encoder's rate factor at which the result is about as large as its source.

The first restored frames are encoded to nowhere and compared with the packets that the source spent on the same ones.
"""

import io
import math
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import av

from selfhvd.video.footage import Footage
from selfhvd.video.write import codecs
from selfhvd.video.write.encoder_choice import Plan, frame_rate
from selfhvd.video.write.picture_stream import video_stream

_TRIED = 16
"""Frames of the trial, fewer where they are large."""
_MEMORY = 100_000_000
"""Bytes that they may take."""
_WORST = 36.0
"""H.264's rate factor beyond which loss is plain to see, whatever the source was."""


def fitted(
    pictures: Iterable[av.VideoFrame], footage: Footage, chosen: Plan
) -> tuple[dict[str, str], Iterator[av.VideoFrame]]:
    """The encoder's options for a plan, and all the pictures again.

    The plan's quality stands where it takes no more than the plan's `room`; else as much less as fits in.
    """
    pictures = iter(pictures)
    if chosen.quality is None or chosen.room is None:
        return chosen.options(), pictures
    first = list(islice(pictures, max(4, min(_TRIED, _MEMORY // (6 * footage.width * footage.height)))))
    allowed = chosen.room * sum(footage.sizes[: len(first)])
    best = crf = codecs.crf_of(chosen.quality, chosen.codec)
    worst = best + (_WORST - 48 + 0.4 * chosen.quality) * codecs.halving(chosen.codec) / 6
    for _ in range(6):
        over = _trial(first, footage, chosen, chosen.options(crf)) / max(1.0, allowed)
        if over <= 1 and (over > 0.9 or crf == best):
            break
        crf = min(worst, max(best, crf + codecs.halving(chosen.codec) * math.log2(over)))
    return chosen.options(round(crf, 1) if codecs.halving(chosen.codec) == 6 else round(crf)), chain(first, pictures)


def _trial(pictures: list[av.VideoFrame], footage: Footage, chosen: Plan, options: dict[str, str]) -> int:
    """Bytes that the pictures take."""
    size = 0
    with av.open(io.BytesIO(), "w", format="matroska") as nowhere:
        stream: Any = video_stream(nowhere, footage, chosen, options)
        for index, picture in enumerate([*pictures, None]):
            if picture is not None:
                picture.pts, picture.time_base = index, 1 / frame_rate(footage)
            size += sum(packet.size for packet in stream.encode(picture))
    return size
