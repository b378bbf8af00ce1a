"""A folder of images as a video. Runs in the child process."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from selfhvd.errors import InputError, UsageError
from selfhvd.video.footage import Color, Footage
from selfhvd.video.frame import Frame
from selfhvd.video.limits import Limits
from selfhvd.video.part import Part, nothing_in
from selfhvd.video.process.protocol import Report
from selfhvd.video.read.keep import Keeper

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
RATE = Fraction(30)  # frames per second of a folder, which has no times of its own, where none is said
_FASTEST = 1000  # frames per second
_LONGEST = 255  # bytes of a file's name
_READ = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH  # applies EXIF orientation, drops alpha


def list_images(folder: Path) -> list[Path]:
    """The images of `folder` in natural order (img2 before img10); `InputError` if there are none."""
    try:
        paths = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}); check its permissions.") from error
    if not paths:
        raise InputError(f"{folder} holds no images (PNG, JPEG, TIFF, WebP, BMP); give a video or such a folder.")
    return sorted(paths, key=lambda path: natural(path.name))


def rate_of(source: Path, fps: str | int | float | Fraction | None) -> Fraction | None:
    """Frames per second of a folder of images, `RATE` where it is not said; None for a file, which has its own times.

    Raises:
        UsageError: `fps` is no number or fraction above 0 and at most 1000, or was said of a file.
    """
    said = None if fps is None else _number(fps)
    if os.path.isdir(source):
        return said or RATE
    if said is not None:
        raise UsageError(f"{source} has times of its own; --fps is for a folder of images.")
    return None


def _number(fps: str | int | float | Fraction) -> Fraction:
    """`24`, `23.976`, `24000/1001`."""
    try:
        rate = Fraction(str(fps)).limit_denominator(1001)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= _FASTEST:
        raise UsageError(f"--fps {fps} is no rate above 0 and at most {_FASTEST}; write 24, or 24000/1001.")
    return rate


def png_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """A name for the PNG result of each image: its own; with its suffix where two would get the same, else numbers."""
    stems = Counter(path.stem.casefold() for path in paths)
    names = [f"{path.stem if stems[path.stem.casefold()] == 1 else path.name}.png" for path in paths]
    short = all(len(os.fsencode(name)) <= _LONGEST for name in names)
    if short and len({name.casefold() for name in names}) == len(names):
        return tuple(names)
    return tuple(f"{index:08d}.png" for index in range(len(paths)))


def decode_images(
    source: Path, folder: Path, limits: Limits, report: Report, rate: Fraction = RATE, part: Part | None = None
) -> Footage:
    """Copy the images of `source`, or of a part of it, into the cache `folder` and return its record (not yet saved).

    `rate`: frames per second.
    """
    everything = list_images(source)
    numbers = [n for n in range(len(everything)) if part is None or part.covers(n / rate)]
    if not numbers:
        raise InputError(nothing_in(source, part))
    paths = [everything[n] for n in numbers]
    if len(paths) > limits.frames:
        raise InputError(f"{source} holds more than {limits.frames} images; split it.")
    first: Frame | None = None
    kept = None
    with Keeper(folder, limits, report) as keeper:
        keeper.total = len(paths)
        for path in paths:
            image = read_image(path, limits)
            first = image if first is None else first
            if image.shape != first.shape or image.dtype != first.dtype:
                raise InputError(
                    f"{path} is {_describe(image)}, but {paths[0].name} is {_describe(first)}; make them alike."
                )
            kept = keeper.keep(image)
    assert first is not None and kept is not None
    deep = first.dtype != np.uint8
    return Footage(
        source=source,
        folder=folder,
        kind="images",
        count=len(paths),
        width=kept.shape[1],
        height=kept.shape[0],
        depth=16 if deep else 8,
        times=tuple(numbers),
        durations=(1,) * len(paths),
        time_base=1 / rate,
        keyframes=(True,) * len(paths),
        codec=paths[0].suffix.lower().lstrip("."),
        pixel_format="rgb48le" if deep else "rgb24",
        rotation=0,
        color=Color(range=1, matrix=1, primaries=1, transfer=1),
        sample_aspect_ratio=Fraction(1),
        begins=numbers[0] / rate if part and part.start else None,
        ends=part.end if part else None,
        names=png_names(paths),
    )


def read_image(path: Path, limits: Limits) -> Frame:
    """One image as RGB uint8 or uint16; `InputError` if it cannot be read as that."""
    try:
        data = np.fromfile(path, np.uint8)
        image = cv2.imdecode(data, _READ) if data.size else None
    except (OSError, cv2.error) as error:
        raise InputError(f"{path} cannot be read as an image; remove or replace it.") from error
    if image is None or image.dtype.name not in ("uint8", "uint16"):
        raise InputError(f"{path} cannot be read as an image of 8 or 16 bits; remove or replace it.")
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    if image.shape[0] * image.shape[1] > limits.pixels:
        raise InputError(f"{path} has more than {limits.pixels} pixels; shrink it.")
    return image


def _describe(image: Frame) -> str:
    """Size and depth in words."""
    return f"{image.shape[1]}x{image.shape[0]} pixels of {image.dtype.itemsize * 8} bits"


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key by which numbers in names count as numbers."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part], name
