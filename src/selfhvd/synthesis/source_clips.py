"""Clips to make others from: folders of images, or videos; frames are read one by one."""

from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from selfhvd.errors import InputError
from selfhvd.video import Frame, ingest
from selfhvd.video.images import SUFFIXES, list_images

_READ = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH  # applies EXIF orientation, drops alpha


@runtime_checkable
class SourceFrames(Protocol):
    """Frames by number, RGB, 8 or 16 bits."""

    def __len__(self) -> int: ...

    def frame(self, index: int) -> Frame:
        """Read one frame."""
        ...


class ImageFrames:
    """The images of a folder in natural order, read where they lie."""

    def __init__(self, folder: Path) -> None:
        self._paths = list_images(folder)
        self._shape = read_image(self._paths[0]).shape

    def __len__(self) -> int:
        return len(self._paths)

    def frame(self, index: int) -> Frame:
        """See `SourceFrames.frame`; `InputError` if it cannot be read, or is of another size than the first."""
        image = read_image(self._paths[index])
        if image.shape != self._shape:
            raise InputError(f"{self._paths[index]} is of another size than {self._paths[0].name}; make them alike.")
        return image


def find_clips(source: Path) -> dict[str, Path]:
    """Name -> video or folder of images: `source` itself if it is one, else what lies in it.

    Raises:
        InputError: there is nothing there.
    """
    if source.is_file():
        return {source.stem: source}
    try:
        entries = sorted(entry for entry in source.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise InputError(f"{source} cannot be read ({error.strerror}).") from error
    if any(entry.suffix.lower() in SUFFIXES for entry in entries):
        return {source.resolve().name: source}
    found: dict[str, Path] = {}
    for entry in entries:
        name = entry.name if entry.is_dir() else entry.stem
        if name in found:
            raise InputError(f"{found[name]} and {entry} would make clips of one name; rename one.")
        found[name] = entry
    if not found:
        raise InputError(f"{source} is empty; give videos, or folders of images, one for each clip.")
    return found


def open_frames(source: Path, work: Path) -> SourceFrames:
    """The frames of a folder where they lie, or of a video decoded into `work`."""
    return ImageFrames(source) if source.is_dir() else ingest(source, work / "decoded")


def read_image(path: Path) -> Frame:
    """One image, RGB, uint8 or uint16; `InputError` if it is none."""
    try:
        data = np.fromfile(path, np.uint8)
        image = cv2.imdecode(data, _READ) if data.size else None
    except (OSError, cv2.error) as error:
        raise InputError(f"{path} cannot be read as an image; remove or replace it.") from error
    if image is None or image.dtype.name not in ("uint8", "uint16"):
        raise InputError(f"{path} cannot be read as an image of 8 or 16 bits; remove or replace it.")
    return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image
