"""The demo: film a photo with a virtual shaking phone, deblur the clip, measure against the truth."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import skimage.data
from jaxtyping import UInt8
from rich.table import Table

from selfhvd.errors import OutputError
from selfhvd.extensions.selection import Selection
from selfhvd.method.composite import composite
from selfhvd.metrics import psnr
from selfhvd.ops.quantize import to_pixels
from selfhvd.run.config import Preset
from selfhvd.run.job import deblur
from selfhvd.synthesis import Handheld, shoot
from selfhvd.system.progress import Progress, silent
from selfhvd.video import Footage, Frame, encode_clip, ingest
from selfhvd.video.png import read_png, write_png
from selfhvd.weights.choose_flow import choose_flow

Picture = UInt8[np.ndarray, "height width 3"]

SHOT = Handheld(frames=60, width=384, height=256, amplitude=14.0)


@dataclass(frozen=True)
class DemoScores:
    """Mean PSNR in dB of input, composite and result, blurry and sharp frames apart."""

    blurry: tuple[float, float, float]
    sharp: tuple[float, float, float]

    def table(self) -> Table:
        """For a terminal."""
        table = Table("mean PSNR, dB", "input", "composite", "result", "gain")
        for name, row in (("blurry frames", self.blurry), ("sharp frames", self.sharp)):
            table.add_row(name, *(f"{x:.2f}" for x in row), f"{row[2] - row[0]:+.2f}")
        return table


def run_demo(
    folder: Path,
    *,
    preset: Preset = "fast",
    seed: int = 0,
    overwrite: bool = False,
    on_progress: Progress = silent,
) -> DemoScores:
    """Make `shaky.mp4`, its deblurred twin with report, `side_by_side.png` and `.mp4` in `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not overwrite:
            raise OutputError(f"{folder} is not empty; choose another --output or add --overwrite.")
    except OSError as error:
        raise OutputError(f"{folder} cannot be used as a folder ({error.strerror}).") from error
    clip, result = folder / "shaky.mp4", folder / "shaky_deblurred.mp4"
    truths, pictures, cache = hidden = [folder / name for name in (".truth", ".restored", ".footage")]
    restored: list[float] = []

    def watch(index: int, frame: Frame) -> None:
        image = np.asarray(frame, dtype=np.uint8)
        restored.append(psnr(image, _read(truths, index)))
        _write(pictures, index, image)

    try:
        for place in (truths, pictures):
            place.mkdir(exist_ok=True)
        counts = _film(clip, truths, seed)
        facts = deblur(clip, result, preset=preset, overwrite=True, on_progress=on_progress, on_frame=watch)
        footage = ingest(clip, cache)
        before = [psnr(footage.frame(i), _read(truths, i)) for i in range(len(footage))]
        fused = [psnr(image, _read(truths, i)) for i, image in enumerate(_composite(footage, facts.selection))]
        _side_by_side(folder, footage, pictures, int(np.argmax(np.subtract(restored, before))))
    finally:
        for place in hidden:
            shutil.rmtree(place, ignore_errors=True)
    is_sharp = np.array(counts) == 1
    columns = [np.array(scores) for scores in (before, fused, restored)]
    blurry, sharp = (tuple(float(c[rows].mean()) for c in columns) for rows in (~is_sharp, is_sharp))
    return DemoScores(blurry, sharp)  # pyright: ignore[reportArgumentType]


def _film(clip: Path, truths: Path, seed: int) -> list[int]:
    """Write the shaky clip and, beside it, what each frame should have been; n_i of each frame."""
    photo = np.ascontiguousarray(skimage.data.astronaut())
    counts: list[int] = []

    def frames() -> Iterator[Picture]:
        for i, exposure in enumerate(shoot(photo, replace(SHOT, seed=seed))):
            counts.append(exposure.count)
            _write(truths, i, exposure.truth)
            yield exposure.frame

    encode_clip(frames(), clip, crf=18)
    return counts


def _composite(footage: Footage, selection: Selection) -> Iterator[Picture]:
    predictor = choose_flow("dis", shutter=False)
    for i in range(len(footage)):
        image = composite(footage, selection.sharp, i, predictor)
        yield to_pixels(image)


def _side_by_side(folder: Path, footage: Footage, pictures: Path, shown: int) -> None:
    """A picture of frame `shown`, the one that gained most, and a clip of all, input left, result right."""

    def pair(i: int) -> Picture:
        return np.hstack([footage.frame(i).astype(np.uint8), _read(pictures, i)])

    write_png(folder / "side_by_side.png", pair(shown))
    encode_clip((pair(i) for i in range(len(footage))), folder / "side_by_side.mp4", crf=16)


def _write(folder: Path, index: int, image: Picture) -> None:
    write_png(folder / f"{index:08d}.png", image)


def _read(folder: Path, index: int) -> Picture:
    image = read_png(folder / f"{index:08d}.png")
    assert image is not None
    return image.astype(np.uint8)
