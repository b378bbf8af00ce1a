"""The head of a clip: what a forecast, a check of the room on the disk and a table of clips need to know of it.

As all decoding it happens in a child process, which imports no torch.
"""

from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.error import FFmpegError

from selfhvd.errors import InputError
from selfhvd.video.colour import colour_of, known_matrix, to_rgb
from selfhvd.video.frame import Frame
from selfhvd.video.frame_file import packed
from selfhvd.video.limits import Limits
from selfhvd.video.part import Part, clock
from selfhvd.video.png import packed_png
from selfhvd.video.process.child import Child
from selfhvd.video.process.protocol import Report
from selfhvd.video.read.animation import first_picture
from selfhvd.video.read.demux import choose, codec_name, open_source, tag_of
from selfhvd.video.read.images import list_images, read_image
from selfhvd.video.read.orientation import Orientation, orientation_of
from selfhvd.video.read.stills import is_animated_webp


@dataclass(frozen=True)
class Probe:
    """What a clip says of itself, and its first frame."""

    kind: Literal["container", "images"]
    width: int
    """Pixels, upright."""
    height: int
    frames: int
    """As stated; else length times rate, else 0."""
    stated: bool
    """Whether the number of frames is stated, not reckoned."""
    codec: str
    pixel_format: str
    depth: int
    """Bits a channel."""
    frame_bytes: int
    """The first frame as the lossless cache keeps it."""
    png_bytes: int
    """The first frame as a PNG result."""
    coded_bytes: int = 0
    """The picture's track, about, as far as the file says; 0 where it does not."""
    profile: str = ""
    """The four letters that the container names the coding by."""
    seconds: float = 0.0
    """Length, as stated; 0 where it is not."""

    def within(self, part: Part | None, rate: Fraction | None = None) -> "Probe":
        """The head of a part: as many of its frames and bytes as of its length; the first frame stands for the part's.

        `rate`: frames per second of a folder of images.
        """
        length = Fraction(self.frames) / rate if rate else Fraction(self.seconds)
        if part is None or not length:
            return self
        kept = min(length, length if part.end is None else part.end) - part.start
        share = max(Fraction(0), kept / length)
        frames, coded = (round(share * number) for number in (self.frames, self.coded_bytes))
        return replace(self, frames=frames, stated=False, coded_bytes=coded, seconds=float(share * length))

    @property
    def stated_frames(self) -> int | None:
        """None where the file does not say."""
        return self.frames if self.stated else None

    @property
    def pixels(self) -> int:
        """Of one frame."""
        return self.width * self.height


def probe(source: Path) -> Probe:
    """Look at the head of a clip, in a child process.

    Raises:
        InputError: it is missing, no video, or its first frame cannot be decoded.
    """
    limits = Limits()
    child = Child({"task": "probe", "source": str(source)}, crash=InputError, subject=source, stall=limits.stall)
    try:
        return Probe(**child.follow())
    finally:
        child.end()


def check_part(source: Path, part: Part | None, rate: Fraction | None = None) -> None:
    """`InputError` if a part begins behind the end of its clip, as far as the clip's head tells.

    `rate`: frames per second of a folder of images.
    """
    if part is not None:
        head = probe(source)
        length = Fraction(head.frames) / rate if rate else Fraction(head.seconds)
        if length and part.start >= length:
            raise InputError(f"{source} ends at {clock(length)}; a part cannot start at {clock(part.start)}.")


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
    report(**asdict(_look(source, limits)))


def _look(source: Path, limits: Limits) -> Probe:
    if source.is_dir():
        return _look_at_images(source, limits)
    if source.is_file() and is_animated_webp(source):
        first, count = first_picture(source, limits)
        return Probe("images", first.shape[1], first.shape[0], count, True, "webp", "rgb24", 8, *_stored(first))
    return _look_at_container(source, limits)


def _look_at_images(source: Path, limits: Limits) -> Probe:
    paths = list_images(source)
    first = read_image(paths[0], limits)
    height, width, _ = first.shape
    depth, layout = (8, "rgb24") if first.dtype == np.uint8 else (16, "rgb48le")
    codec = paths[0].suffix.lower().lstrip(".")
    return Probe("images", width, height, len(paths), True, codec, layout, depth, *_stored(first))


def _look_at_container(source: Path, limits: Limits) -> Probe:
    with open_source(source, limits) as container:
        stream, _ = choose(container, source)
        frame = first_frame(container, stream, source, limits)
        if not known_matrix(colour_of(frame)):
            raise InputError(f"{source} uses a colour matrix that cannot be undone; convert it first.")
        depth = max(8, *(component.bits for component in frame.format.components))
        turned = orientation_of(frame) or Orientation()
        picture = turned.apply(to_rgb(frame, colour_of(frame), deep=depth > 8))
        height, width, _ = picture.shape
        frames = stream.frames or _reckoned(container, stream)
        facts = (codec_name(stream), frame.format.name, depth, *_stored(picture))
        coded = _coded(container, stream)
        stated, tag, length = bool(stream.frames), tag_of(stream), _seconds(container, stream)
        return Probe("container", width, height, frames, stated, *facts, coded, tag, length)


def _seconds(container: Any, stream: Any) -> float:  # noqa: ANN401 - PyAV objects
    """Length of the picture, else of the file; 0 where neither is stated."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / 1_000_000


def _reckoned(container: Any, stream: Any) -> int:  # noqa: ANN401 - PyAV objects
    """Length times rate; 0 where either is unknown."""
    seconds = _seconds(container, stream)
    rate = stream.average_rate or stream.guessed_rate or 0
    return max(0, round(seconds * float(rate)))


def _coded(container: Any, stream: Any) -> int:  # noqa: ANN401 - PyAV objects
    """Bytes of a track: by its stated rate, else all that the file holds."""
    seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1_000_000
    rate = stream.codec_context.bit_rate or stream.bit_rate or 0
    return round(rate * seconds / 8) or int(container.size)


def _stored(picture: Frame) -> tuple[int, int]:
    """Bytes of a frame in the cache, and as PNG."""
    png = packed_png(picture)
    return len(packed(picture)), picture.nbytes if png is None else len(png)


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
