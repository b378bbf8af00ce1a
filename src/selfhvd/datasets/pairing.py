"""From a place to a clip: list its frames, and find the truth of each by name."""

import struct
from pathlib import Path

from selfhvd.datasets.dataset import DatasetClip
from selfhvd.datasets.layouts import Layout
from selfhvd.datasets.places import Place, children, find_video
from selfhvd.errors import InputError
from selfhvd.video import check_source
from selfhvd.video.limits import Limits
from selfhvd.video.read.images import SUFFIXES, read_image

_NAMED = 4
"""So many names are listed in a message."""


def clip_at(layout: Layout, place: Place) -> DatasetClip:
    """The clip at a place; `InputError` says what was expected where, and what was found."""
    if layout.kind == "videos":
        video = _video(place, place.blur, "a video")
        truth = None if place.truth is None else _video(place, place.truth, "its truth")
        return DatasetClip(place.name, place.part, video=video, truth_video=truth)
    frames = _images(place, place.blur, "blurry frames" if place.truth else "frames")
    if place.truth is None:
        image_size(frames[0])
        return DatasetClip(place.name, place.part, frames)
    truth = _paired(place.name, frames, _images(place, place.truth, "sharp frames"))
    check_sizes(place.name, frames, truth)
    return DatasetClip(place.name, place.part, frames, truth, label_path=_label(place))


def check_sizes(name: str, frames: tuple[Path, ...], truth: tuple[Path, ...]) -> None:
    """Compare the size of the first frame with that of its truth; `InputError` if they differ."""
    blur, sharp = image_size(frames[0]), image_size(truth[0])
    if blur != sharp:
        found = f"{truth[0]} has {sharp[0]}x{sharp[1]} and {frames[0]} {blur[0]}x{blur[1]}"
        raise InputError(f"Clip {name} has a truth of another size: expected the same pixels, but {found}.")


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels; of a PNG only the head is read. `InputError` if it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(24)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    if head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR" and len(head) == 24:
        width, height = struct.unpack(">II", head[16:24])
        return width, height
    height, width = read_image(path, Limits()).shape[:2]
    return width, height


def listed(names: list[str]) -> str:
    """A few names in words."""
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "") if names else "nothing"


def _images(place: Place, folder: Path, what: str) -> tuple[Path, ...]:
    """The images of a folder in natural order."""
    if not folder.is_dir():
        raise InputError(f"Clip {place.name} lacks a folder: expected {what} in {folder}, found {_found(folder)}.")
    there = children(folder)
    paths = tuple(path for path in there if path.suffix.lower() in SUFFIXES)
    if not paths:
        found = listed([path.name for path in there])
        raise InputError(f"Clip {place.name} is empty: expected {what} as image files in {folder}, found {found}.")
    return paths


def _label(place: Place) -> Path | None:
    """The label of a clip, if it has one."""
    return place.label if place.label is not None and place.label.is_file() else None


def _video(place: Place, path: Path, what: str) -> Path:
    """The video at a path that may lack its ending."""
    found = find_video(path)
    if found is None:
        raise InputError(
            f"Clip {place.name} is incomplete: expected {what} called {path.name} in {path.parent}, found none."
        )
    check_source(found)
    return found


def _paired(name: str, frames: tuple[Path, ...], truth: tuple[Path, ...]) -> tuple[Path, ...]:
    """The truth of each frame, by name without ending."""
    blur, sharp = {path.stem for path in frames}, {path.stem: path for path in truth}
    missing = [path.name for path in frames if path.stem not in sharp]
    extra = [path.name for path in truth if path.stem not in blur]
    where = f"{frames[0].parent} and {truth[0].parent}"
    if len(frames) != len(truth):
        counts = f"{len(frames)} and {len(truth)} ({listed(missing + extra)} in one only)"
        raise InputError(f"Clip {name} is not paired: expected as many images in {where}, found {counts}.")
    if missing:
        found = f"{listed(missing)} in one and {listed(extra)} in the other"
        raise InputError(f"Clip {name} is not paired: expected the same names in {where}, found {found}.")
    return tuple(sharp[path.stem] for path in frames)


def _found(folder: Path) -> str:
    """What there is in place of a missing folder: the contents of the nearest one above it."""
    above = next(parent for parent in folder.parents if parent.is_dir())
    return f"{listed([path.name for path in children(above)])} in {above}"
