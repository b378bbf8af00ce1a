"""Clips with known truth for measuring: photos the base weights never saw, filmed by the virtual phone."""

import io
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from selfhvd.extensions.selection import Selection, find_sharp
from selfhvd.metrics import psnr
from selfhvd.synthesis import Exposure, Handheld, World, film_world, shoot
from selfhvd.video import ingest
from selfhvd.video.frame_source import ArrayFrames

HELD_OUT = 5
"""Every fifth photo, in the order of their names, is kept from training."""


@dataclass(frozen=True)
class Clip:
    """A coded clip and its truth."""

    name: str
    kind: str
    file: bytes
    """MP4, coded once, as by a phone."""
    frames: list[np.ndarray]
    """What `deblur` reads from it."""
    keyframes: list[bool]
    truth: list[np.ndarray]
    counts: list[int]
    seen: list[np.ndarray] | None = None
    """Which layer the truth shows where, of a world with depth."""

    @property
    def source(self) -> ArrayFrames:
        return ArrayFrames(self.frames)

    def select(self) -> Selection:
        return find_sharp(self.source, self.keyframes)

    def rows(self, blurry: bool) -> list[int]:
        return [i for i, n in enumerate(self.counts) if (n > 1) == blurry]

    def input_psnr(self, blurry: bool) -> float:
        return mean(psnr(self.frames[i], self.truth[i]) for i in self.rows(blurry))


def held_out(photos: Path) -> list[Path]:
    return sorted(photos.iterdir())[HELD_OUT - 1 :: HELD_OUT]


def for_training(photos: Path) -> list[Path]:
    return sorted(set(photos.iterdir()) - set(held_out(photos)))


def load_photo(path: Path, longest: int) -> np.ndarray:
    """RGB, reduced to `longest` pixels on the longer side: fine grain and JPEG marks vanish."""
    photo = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    scale = min(1.0, longest / max(photo.shape[:2]))
    return cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def coded(frames: list[np.ndarray], crf: int) -> bytes:
    """`frames` as H.264 in MP4; the same bytes each time."""
    buffer = io.BytesIO()
    options = {"crf": str(crf), "preset": "veryfast", "x264-params": "cpu-independent=1"}
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def film(photo: Path, kind: str, seed: int, blurry_psnr: float | None = 28.0, crf: int = 18) -> Clip:
    """A 480x272 clip of 60 frames whose blurry frames have about `blurry_psnr` dB (the shake is searched for)."""
    picture, shot = load_photo(photo, 900), Handheld(kind=kind, seed=seed, amplitude=12.0)
    low, high = 2.0, 30.0  # pixels a frame: beyond is no hand
    for _ in range(7):
        exposures = list(shoot(picture, shot))
        blurry = [psnr(e.frame, e.truth) for e in exposures if e.count > 1]
        if blurry_psnr is None or not blurry or abs(np.mean(blurry) - blurry_psnr) < 0.4:
            break
        low, high = (shot.amplitude, high) if np.mean(blurry) > blurry_psnr else (low, shot.amplitude)
        shot = replace(shot, amplitude=math.sqrt(low * high))
    return as_clip(photo.stem, kind, exposures, crf)


def film_depth(photos: list[Path], kind: str, seed: int, crf: int = 18) -> Clip:
    """A 480x272 clip of 60 frames of a world with depth, cut from `photos`."""
    rng = np.random.default_rng(seed)
    world = World(kind=kind, amplitude=rng.uniform(8, 20), exposure=rng.uniform(12, 33), readout=16.0, seed=seed)
    return as_clip(photos[0].stem, kind, list(film_world([load_photo(p, 900) for p in photos], world)), crf)


def as_clip(name: str, kind: str, exposures: list[Exposure], crf: int) -> Clip:
    file = coded([e.frame for e in exposures], crf)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        path.write_bytes(file)
        taken = ingest(path, Path(folder) / "frames")
        frames, keys = [taken.frame(i) for i in range(len(taken))], list(taken.keyframes)
    seen = [e.seen for e in exposures if e.seen is not None] or None
    return Clip(name, kind, file, frames, keys, [e.truth for e in exposures], [e.count for e in exposures], seen)


def as_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1).float() / 255


def mean(values: Iterator[float]) -> float:
    known = list(values)
    return float(np.mean(known)) if known else float("nan")
