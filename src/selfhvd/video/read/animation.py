"""Animated WebP, which FFmpeg writes but does not read: decoded by Pillow. Runs in the child process."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from selfhvd.errors import InputError
from selfhvd.video.footage import Color, Footage
from selfhvd.video.frame import Frame
from selfhvd.video.limits import Limits
from selfhvd.video.part import Part, nothing_in
from selfhvd.video.process.protocol import Report
from selfhvd.video.read.keep import Keeper

_TICK = Fraction(1, 1000)
"""Seconds."""
_UNSAID = 100
"""Milliseconds that a picture stands which does not say how long, as in browsers."""


def decode_webp(source: Path, folder: Path, limits: Limits, report: Report, part: Part | None = None) -> Footage:
    """Decode the pictures of `source`, or of a part of it, into `folder` and return its record (not yet saved)."""
    times: list[int] = []
    durations: list[int] = []
    clear, count, first, seen, time = False, 0, None, 0, 0
    with Keeper(folder, limits, report) as keeper:
        for picture, seen_through, duration, total in _pictures(source, limits):
            seen, count = seen + 1, total
            keeper.total = None if part else total
            if part is None or part.covers(time * _TICK):
                kept = keeper.keep(picture)
                first = kept if first is None else first
                times.append(time)
                durations.append(duration)
                clear = clear or seen_through
            time += duration
    if first is None:
        raise InputError(nothing_in(source, part))
    notes = ["transparency is dropped"] if clear else []
    notes += [f"source ends early at frame {len(times)}"] if seen < count else []
    if part and part.end is not None:
        durations[-1] = min(durations[-1], max(1, int(part.end / _TICK) - times[-1]))
    return Footage(
        source=source,
        folder=folder,
        kind="images",
        count=len(times),
        width=first.shape[1],
        height=first.shape[0],
        depth=8,
        times=tuple(times),
        durations=tuple(durations),
        time_base=_TICK,
        keyframes=(True,) * len(times),
        codec="webp",
        pixel_format="rgb24",
        rotation=0,
        color=Color(range=1, matrix=1, primaries=1, transfer=1),
        sample_aspect_ratio=Fraction(1),
        begins=times[0] * _TICK if part and part.start else None,
        ends=part.end if part else None,
        warnings=tuple(notes),
    )


def first_picture(source: Path, limits: Limits) -> tuple[Frame, int]:
    """The first picture of an animated WebP, and how many there are; `InputError` if it cannot be decoded."""
    for picture, _, _, total in _pictures(source, limits):
        return picture, total
    raise InputError(f"{source} holds no moving picture: its first frame cannot be decoded; copy it again.")


def _pictures(source: Path, limits: Limits) -> Iterator[tuple[Frame, bool, int, int]]:
    """Each picture, whether it is seen through somewhere, its milliseconds, and how many there are."""
    Image.MAX_IMAGE_PIXELS = None  # our own limit holds
    try:
        with Image.open(source, formats=["WEBP"]) as image:
            total = int(getattr(image, "n_frames", 1))
            _check(source, image, total, limits)
            for index in range(total):
                image.seek(index)
                image.load()
                yield _rgb(image), _seen_through(image), int(image.info.get("duration", 0)) or _UNSAID, total
    except (OSError, ValueError, EOFError, SyntaxError):
        return  # what came before it is kept, and told to be short


def _check(source: Path, image: Any, total: int, limits: Limits) -> None:  # noqa: ANN401 - Pillow's image
    """Refuse what is larger than the limits before it is decoded."""
    if image.width * image.height > limits.pixels:
        raise InputError(
            f"{source} has frames of {image.width}x{image.height} pixels; at most {limits.pixels} are read."
        )
    if total > limits.frames:
        raise InputError(f"{source} has more than {limits.frames} frames; cut it into parts.")


def _rgb(image: Any) -> Frame:  # noqa: ANN401 - Pillow's image
    return np.array(image.convert("RGB"), np.uint8)


def _seen_through(image: Any) -> bool:  # noqa: ANN401 - Pillow's image
    return image.mode == "RGBA" and image.getchannel("A").getextrema()[0] < 255
