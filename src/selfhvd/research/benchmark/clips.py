"""Clips with known truth: photos that come with scikit-image, or the user's, filmed by the virtual phone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import skimage.data
from jaxtyping import UInt8

from selfhvd.metrics.psnr import psnr
from selfhvd.research.benchmark.size import Size
from selfhvd.synthesis import Handheld, Kind, shoot
from selfhvd.synthesis.exposure import Exposure
from selfhvd.video import encode_clip, ingest
from selfhvd.video.frame import as_bytes
from selfhvd.video.limits import Limits
from selfhvd.video.read.images import list_images, read_image

Picture = UInt8[np.ndarray, "height width 3"]

_WHEEL = ("coffee.png", "astronaut.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png")
_SPEEDS = (1.0, 40.0)
"""Pixels a frame between which the shake is searched for."""
_NEAR = 0.4
"""dB from the wanted PSNR at which the search ends."""


@dataclass(frozen=True)
class Clip:
    """Frames with their truth, in memory: a benchmark's clips are short."""

    name: str
    frames: tuple[Picture, ...]
    keyframes: tuple[bool, ...]
    truth: tuple[Picture, ...]
    blurry: tuple[int, ...]
    """Frames of which more than one instant was averaged."""
    sharp: tuple[int, ...]


def photos_of(folder: Path | None) -> tuple[Path, ...]:
    """The images of a folder; without one those that scikit-image brings."""
    if folder is not None:
        return tuple(list_images(folder))
    return tuple(Path(skimage.data.__file__).parent / name for name in _WHEEL)


def film(photos: Sequence[Path], size: Size, seed: int, kind: Kind = "plain") -> Clip:
    """The clip of a seed."""
    photo = photos[seed % len(photos)]
    picture = _fitted(np.asarray(read_image(photo, Limits()), dtype=np.uint8), size)
    shot = Handheld(kind, frames=size.frames, width=size.width, height=size.height, seed=seed)
    low, high = _SPEEDS
    exposures: list[Exposure] = []
    frames, keyframes = (), ()
    for _ in range(size.tries):
        shot = replace(shot, amplitude=math.sqrt(low * high))
        exposures = list(shoot(picture, shot))
        frames, keyframes = _coded([e.frame for e in exposures], size.crf)
        found = [psnr(frame, e.truth) for frame, e in zip(frames, exposures, strict=True) if e.count > 1]
        if not found or abs(float(np.mean(found)) - size.blurry_psnr) < _NEAR:
            break
        low, high = (shot.amplitude, high) if np.mean(found) > size.blurry_psnr else (low, shot.amplitude)
    return Clip(
        name=f"{photo.stem}-{seed}",
        frames=frames,
        keyframes=keyframes,
        truth=tuple(e.truth for e in exposures),
        blurry=tuple(i for i, e in enumerate(exposures) if e.count > 1),
        sharp=tuple(i for i, e in enumerate(exposures) if e.count == 1),
    )


def _coded(frames: Sequence[Picture], crf: int) -> tuple[tuple[Picture, ...], tuple[bool, ...]]:
    """What an encoder makes of the frames, and which became key frames."""
    with TemporaryDirectory(prefix="selfhvd-") as work:
        path = Path(work) / "clip.mp4"
        encode_clip(frames, path, crf=crf)
        footage = ingest(path, Path(work) / "frames")
        return tuple(as_bytes(footage.frame(i)) for i in range(len(footage))), footage.keyframes


def _fitted(picture: UInt8[np.ndarray, "h w 3"], size: Size) -> Picture:
    """A shaking view fits into it."""
    scale = max(1.3 * size.width / picture.shape[1], 1.3 * size.height / picture.shape[0])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how).astype(np.uint8)
