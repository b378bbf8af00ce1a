"""The head of a clip: what a forecast needs to know of it. `python -m selfhvd.forecast.head CLIP` prints it as JSON.

As all decoding it happens in a child process, which imports no torch.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from selfhvd.errors import InputError
from selfhvd.video import Limits, probe
from selfhvd.video.colour import colour_of, known_matrix, to_rgb
from selfhvd.video.frame import Frame
from selfhvd.video.probe import first_frame
from selfhvd.video.read.animation import first_picture
from selfhvd.video.read.demux import choose, codec_name, open_source, tag_of
from selfhvd.video.read.images import list_images, read_image
from selfhvd.video.read.orientation import Orientation, orientation_of
from selfhvd.video.read.stills import is_animated_webp

_PATIENCE = 60
"""Seconds that the child may take."""


@dataclass(frozen=True)
class Head:
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
    coded_bytes: int = 0
    """The picture's track, about, as far as the file says; 0 where it does not."""
    profile: str = ""
    """The four letters that the container names the coding by."""

    @property
    def pixels(self) -> int:
        """Of one frame."""
        return self.width * self.height


def read_head(source: Path) -> Head:
    """Look at the head of a clip.

    Raises:
        InputError: it is missing, no video, or its first frame cannot be decoded.
    """
    home = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-P", "-m", "selfhvd.forecast.head", str(source)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            env={**os.environ, "PYTHONPATH": path},
            check=True,
        )
        facts = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError):
        if not source.is_dir():
            probe(source)  # tells in a sentence how the decoder broke
        raise InputError(
            f"{source} broke the decoder at its first frame; convert it with another tool first."
        ) from None
    if "error" in facts:
        raise InputError(facts["error"])
    return Head(**facts)


def _look(source: Path, limits: Limits) -> Head:
    if source.is_dir():
        return _look_at_images(source, limits)
    if source.is_file() and is_animated_webp(source):
        first, count = first_picture(source, limits)
        return Head("images", first.shape[1], first.shape[0], count, True, "webp", "rgb24", 8, _stored(first))
    return _look_at_container(source, limits)


def _look_at_images(source: Path, limits: Limits) -> Head:
    paths = list_images(source)
    first = read_image(paths[0], limits)
    height, width, _ = first.shape
    depth, layout = (8, "rgb24") if first.dtype == np.uint8 else (16, "rgb48le")
    codec = paths[0].suffix.lower().lstrip(".")
    return Head("images", width, height, len(paths), True, codec, layout, depth, _stored(first))


def _look_at_container(source: Path, limits: Limits) -> Head:
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
        facts = (codec_name(stream), frame.format.name, depth, _stored(picture))
        coded = _coded(container, stream)
        return Head("container", width, height, frames, bool(stream.frames), *facts, coded, tag_of(stream))


def _reckoned(container: Any, stream: Any) -> int:  # noqa: ANN401 - PyAV objects
    """Length times rate; 0 where either is unknown."""
    seconds = (container.duration or 0) / 1_000_000
    if stream.duration:
        seconds = float(stream.duration * stream.time_base)
    rate = stream.average_rate or stream.guessed_rate or 0
    return max(0, round(seconds * float(rate)))


def _coded(container: Any, stream: Any) -> int:  # noqa: ANN401 - PyAV objects
    """Bytes of a track: by its stated rate, else all that the file holds."""
    seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1_000_000
    rate = stream.codec_context.bit_rate or stream.bit_rate or 0
    return round(rate * seconds / 8) or int(container.size)


def _stored(picture: Frame) -> int:
    """Bytes of a frame as PNG, packed as the cache packs it."""
    packed, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return int(np.asarray(data).size) if packed else picture.nbytes


if __name__ == "__main__":
    try:
        told = asdict(_look(Path(sys.argv[1]), Limits()))
    except InputError as error:
        told = {"error": str(error)}
    sys.stdout.write(json.dumps(told))
