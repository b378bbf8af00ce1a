"""Size and length of a video, by its head and its first frame."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from selfhvd.errors import InputError
from selfhvd.video.limits import Limits
from selfhvd.video.process.child import Child
from selfhvd.video.process.protocol import Report
from selfhvd.video.read.animation import first_picture
from selfhvd.video.read.demux import choose, open_source
from selfhvd.video.read.orientation import orientation_of
from selfhvd.video.read.stills import is_animated_webp


@dataclass(frozen=True)
class Probe:
    """What a video says of itself."""

    width: int
    """In pixels, upright."""
    height: int
    frames: int | None
    """None where the file does not say."""


def probe(source: Path) -> Probe:
    """Look into a video, in a child process; `InputError` if its first frame cannot be decoded."""
    limits = Limits()
    child = Child({"task": "probe", "source": str(source)}, crash=InputError, subject=source, stall=limits.stall)
    try:
        return Probe(**child.follow())
    finally:
        child.end()


def foretold(source: Path, destination: Path, *, strip_location: bool = False) -> tuple[str, ...]:
    """In words what of a video's other tracks the file `destination` could not hold, by the video's head."""
    request = {"task": "foretell", "source": str(source), "destination": str(destination), "strip": strip_location}
    child = Child(request, crash=InputError, subject=source, stall=Limits().stall)
    try:
        child.follow()
        return tuple(child.warnings)
    finally:
        child.end()


def tell(source: Path, limits: Limits, report: Report) -> None:
    """Report the facts of `probe`. Runs in the child process."""
    if source.is_file() and is_animated_webp(source):
        picture, frames = first_picture(source, limits)
        report(width=picture.shape[1], height=picture.shape[0], frames=frames)
        return
    with open_source(source, limits) as container:
        stream, _ = choose(container, source)
        frame = first_frame(container, stream, source, limits)
        turned = orientation_of(frame)
        sides = (frame.width, frame.height)
        width, height = reversed(sides) if turned is not None and turned.transpose else sides
        report(width=width, height=height, frames=stream.frames or None)


def first_frame(container: Any, stream: Any, source: Path, limits: Limits) -> av.VideoFrame:  # noqa: ANN401 - PyAV
    """The first frame that can be decoded; `InputError` if there is none. For the child process."""
    stream.codec_context.options = {"max_pixels": str(limits.pixels)}
    try:
        frame = next(container.decode(stream), None)
    except FFmpegError:
        frame = None
    if frame is None:
        raise InputError(f"{source} holds no moving picture: its first frame cannot be decoded; copy it again.")
    return frame
