"""Clips to make others from: folders of images, or videos; frames are read one by one."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from selfhvd.errors import InputError
from selfhvd.video import Frame, ingest
from selfhvd.video.image_frames import ImageFrames
from selfhvd.video.read.images import SUFFIXES, list_images


@runtime_checkable
class SourceFrames(Protocol):
    """Frames by number, RGB, 8 or 16 bits."""

    def __len__(self) -> int: ...

    def frame(self, index: int) -> Frame:
        """Read one frame."""
        ...


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
    return ImageFrames(tuple(list_images(source)), alike=True) if source.is_dir() else ingest(source, work / "decoded")
