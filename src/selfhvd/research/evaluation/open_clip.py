"""A dataset's clip laid open: frames and truth by number, and which frames are sharp."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from selfhvd.datasets import DatasetClip, SharpLabel
from selfhvd.errors import InputError
from selfhvd.extensions.selection import Selection, find_sharp
from selfhvd.video import Footage, ingest
from selfhvd.video.image_frames import ImageFrames

Pictures = Footage | ImageFrames


@dataclass(frozen=True)
class OpenClip:
    """A clip whose frames are read when they are asked for."""

    name: str
    frames: Pictures
    truth: Pictures | None
    selection: Selection
    """By `find_sharp`, which is told the key frames where they are known."""
    label: SharpLabel | None
    work: Path
    """An empty folder that lives as long as the clip is open."""

    def is_sharp(self, index: int) -> bool:
        """By the label where there is one, else by the selection."""
        return self.selection.is_sharp(index) if self.label is None else self.label.sharp[index]


@contextmanager
def opened(clip: DatasetClip) -> Generator[OpenClip]:
    """Images are read where they lie; videos are laid out in a temporary folder.

    Raises:
        InputError: something of the clip cannot be read, or truth or label are of another length or size.
    """
    with tempfile.TemporaryDirectory(prefix="selfhvd-") as folder:
        work = Path(folder)
        frames = _pictures(clip.frame_paths, clip.video, work / "frames")
        truth = _pictures(clip.truth_paths or (), clip.truth_video, work / "truth") if clip.has_truth else None
        label = clip.label()
        _check_length("its truth", None if truth is None else len(truth), frames)
        _check_length("its label", None if label is None else len(label.sharp), frames)
        selection = find_sharp(frames, _keyframes(frames, label))
        (work / "outputs").mkdir()
        yield OpenClip(clip.name, frames, truth, selection, label, work / "outputs")


def _pictures(paths: tuple[Path, ...], video: Path | None, folder: Path) -> Pictures:
    return ImageFrames(paths, alike=True) if video is None else ingest(video, folder)


def _check_length(what: str, length: int | None, frames: Pictures) -> None:
    if length is not None and length != len(frames):
        raise InputError(f"the clip has {len(frames)} frames, but {what} is of {length}.")


def _keyframes(frames: Pictures, label: SharpLabel | None) -> tuple[bool, ...]:
    """Which frames the codec coded on their own, where that is known."""
    if label is not None:
        return label.keyframes
    return frames.keyframes if isinstance(frames, Footage) else (False,) * len(frames)
