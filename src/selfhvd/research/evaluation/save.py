"""Keep the outputs of a clip as PNG files, the clip as a whole or not at all."""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from selfhvd.datasets import DatasetClip
from selfhvd.errors import OutputError, UsageError
from selfhvd.system.atomic import replacing
from selfhvd.video import Frame
from selfhvd.video.png import write_png


def check_saving(folder: Path, clips: Sequence[DatasetClip], *, overwrite: bool) -> None:
    """Say at once that something is in the way.

    Raises:
        OutputError: a clip of that name is there.
        UsageError: what would be replaced is the dataset itself.
    """
    for clip in clips:
        target = folder / clip.name
        if any(_holds(target, path) for path in _files(clip)):
            raise UsageError(f"{target} holds frames of the dataset itself; choose another --save-frames.")
        if os.path.lexists(target) and not overwrite:
            raise OutputError(f"{target} exists; choose another --save-frames or add --overwrite.")


def _files(clip: DatasetClip) -> list[Path]:
    """One of each folder that the clip is in."""
    images = (*clip.frame_paths[:1], *(clip.truth_paths or ())[:1])
    return [path for path in (*images, clip.video, clip.truth_video, clip.label_path) if path is not None]


def _holds(folder: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


class Saved:
    """A folder `folder/clip` of `00000000.png`, ... that is there when the context ends well.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, folder: Path, clip: str) -> None:
        self._target, self._count = folder / clip, 0
        self._place = replacing(self._target)

    def __enter__(self) -> "Saved":
        self._part = self._place.__enter__()
        try:
            self._part.mkdir(parents=True)
        except OSError as error:
            raise OutputError(f"{self._part} cannot be made ({error.strerror}); choose another folder.") from error
        return self

    def write(self, image: Frame) -> None:
        """Add a frame."""
        write_png(self._part / f"{self._count:08d}.png", image)
        self._count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._place.__exit__(kind, error, trace)  # passes on what was raised within, and raises what it meets
        except OSError as fault:
            raise OutputError(f"{self._target} cannot be put in place ({fault.strerror}).") from fault
