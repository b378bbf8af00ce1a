"""The writing of a result before there is one: what a container cannot keep is told before the work, not after it.

Runs in the child process.
"""

import io
from contextlib import ExitStack
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from selfhvd.video.footage import Color, Footage
from selfhvd.video.limits import Limits
from selfhvd.video.probe import first_frame
from selfhvd.video.process.protocol import Report
from selfhvd.video.read.demux import choose, codec_name, open_source, tracks_of
from selfhvd.video.read.side_data import marks
from selfhvd.video.write.encode import encode
from selfhvd.video.write.encoder_choice import Coding, container_of
from selfhvd.video.write.remux import Copier
from selfhvd.video.write.verify import verify

_SIDE = 64
"""Pixels; every encoder takes such a picture."""


def rehearse(footage: Footage, destination: Path, report: Report) -> None:
    """Write and read back the clip with small black pictures, aside; `OutputError` where the result would not do.

    The times of the frames and all other tracks are the clip's own. What is named on the way is named again by the
    real writing, and not reported here.
    """
    small = replace(footage, width=_SIDE, height=_SIDE, depth=8, rotation=0, sizes=())
    aside = footage.folder / f"rehearsal{destination.suffix}"
    request = {"part": str(aside), "destination": str(destination), "coding": asdict(Coding()), "comment": None}
    told: dict[str, Any] = {}

    def listen(**fields: Any) -> None:  # noqa: ANN401 - any JSON value
        told.update(fields)
        if "frame" in fields:
            report(rehearsed=fields["frame"])  # a sign of life

    try:
        encode(small, request, _Black(), listen)
        verify(small, {**request, **told}, listen)
    finally:
        aside.unlink(missing_ok=True)


class _Black:
    """As many black frames as are asked for."""

    def read(self, size: int, /) -> bytes:
        """`size` zeros."""
        return bytes(size)


def foretell(source: Path, destination: Path, report: Report, *, strip_location: bool = False) -> None:
    """Report as warnings what of a video's other tracks the container of `destination` cannot hold, by its head."""
    with ExitStack() as stack:
        container = stack.enter_context(open_source(source, Limits()))
        stream, _ = choose(container, source)
        kind = container_of(destination)
        output = stack.enter_context(av.open(io.BytesIO(), "w", format=kind))
        Copier(_head(source, container, stream), output, kind, stack, report, strip_location=strip_location)


def _head(source: Path, container: Any, stream: Any) -> Footage:  # noqa: ANN401 - PyAV objects
    """What the copying of other tracks asks of a footage, with a single frame."""
    frame = first_frame(container, stream, source, Limits())
    return Footage(
        source=source,
        folder=Path(),
        kind="container",
        count=1,
        width=frame.width,
        height=frame.height,
        depth=8,
        times=(max(0, frame.pts or 0),),
        durations=(0,),
        time_base=Fraction(stream.time_base),
        keyframes=(True,),
        codec=codec_name(stream),
        pixel_format=frame.format.name,
        rotation=frame.rotation,
        color=Color(),
        sample_aspect_ratio=Fraction(1),
        container=container.format.name,
        stream=stream.index,
        tracks=tracks_of(container, stream),
        marks=marks(frame),
    )
