"""Write the restored frames: encoded in a child process, verified by re-reading, then renamed into place."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from selfhvd.errors import OutputError, UsageError
from selfhvd.system.atomic import part_path, put
from selfhvd.video.destination import check_destination, is_folder
from selfhvd.video.footage import Footage
from selfhvd.video.frame import Frame
from selfhvd.video.png import write_png
from selfhvd.video.process.child import Child
from selfhvd.video.write.encoder_choice import Coding

_STALL = 300.0  # seconds the encoder may sit on its frames


class Writer(ABC):
    """Takes the frames of a footage in order."""

    def __init__(self, footage: Footage) -> None:
        self.footage = footage
        self.written = 0  # frames
        self.warnings: list[str] = []  # what could not be kept, in plain words

    def write(self, frame: Frame) -> None:
        """Write the next frame: upright RGB `height width 3`, uint8, or uint16 for a depth over 8."""
        kind = np.uint8 if self.footage.depth == 8 else np.uint16
        if frame.shape != (self.footage.height, self.footage.width, 3) or frame.dtype != kind:
            wanted = f"{self.footage.height}x{self.footage.width}x3 {np.dtype(kind).name}"
            raise UsageError(f"frame {self.written} is {frame.shape} {frame.dtype}, expected {wanted}.")
        if self.written == self.footage.count:
            raise UsageError(f"the source has {self.footage.count} frames; one more was written.")
        self._write(frame)
        self.written += 1

    @abstractmethod
    def _write(self, frame: Frame) -> None:
        """Write a checked frame."""

    @abstractmethod
    def finish(self) -> None:
        """Finish and verify the part; called once, after the last frame."""

    @abstractmethod
    def discard(self) -> None:
        """Stop, and remove what is left of the part. Safe to call after `finish` and rename."""


class _ContainerWriter(Writer):
    """A video file."""

    def __init__(self, footage: Footage, destination: Path, part: Path, **wishes: object) -> None:
        """`wishes`: `coding`, `comment` and `strip_location` as `open_writer` takes them."""
        super().__init__(footage)
        self.destination, self.part = destination, part
        self._request: dict[str, Any] = {
            "folder": str(footage.folder),
            "part": str(part),
            "destination": str(destination),
            **wishes,
        }
        self._child = self._start("encode")

    def _start(self, task: str, **more: object) -> Child:
        request = {**self._request, "task": task, **more}
        return Child(request, crash=OutputError, subject=self.destination, stall=_STALL)

    def _write(self, frame: Frame) -> None:
        while self._child.next(wait=False) is not None:
            pass
        try:
            self._child.send(np.ascontiguousarray(frame).data.cast("B"))
        except BrokenPipeError:
            self._child.follow()  # raises the child's own reason
            raise OutputError(f"{self.destination}: the encoder stopped at frame {self.written}; try again.") from None

    def finish(self) -> None:
        self._child.close_input()
        last = self._child.follow()
        self.warnings += self._child.warnings
        self._child.end()
        self._child = self._start("verify", **last)
        self._child.follow()
        self.warnings += self._child.warnings

    def discard(self) -> None:
        self._child.end()
        self.part.unlink(missing_ok=True)


class _FolderWriter(Writer):
    """A folder of PNG files, named as the images they were made from, or `00000000.png`, ..."""

    def __init__(self, footage: Footage, part: Path) -> None:
        super().__init__(footage)
        self.part = part
        try:
            part.mkdir()
        except OSError as error:
            raise OutputError(f"{part} cannot be made ({error.strerror}).") from error

    def _write(self, frame: Frame) -> None:
        names = self.footage.names
        write_png(self.part / (names[self.written] if names else f"{self.written:08d}.png"), frame)

    def finish(self) -> None:
        if any(track.kind == "audio" for track in self.footage.tracks):
            self.warnings.append("a folder of images holds no sound and no times")

    def discard(self) -> None:
        shutil.rmtree(self.part, ignore_errors=True)


@contextmanager
def open_writer(
    footage: Footage,
    destination: Path,
    *,
    overwrite: bool = False,
    coding: Coding = Coding(),
    comment: str | None = None,
    strip_location: bool = False,
    on_ready: Callable[[Path], None] = lambda part: None,
) -> Generator[Writer]:
    """Write the restored frames of `footage` to a video file, or to a folder of PNG files.

    On clean exit the result is finished, re-read, verified and renamed onto `destination`; on any exception
    nothing is left behind. `coding` says codec and quality; `comment` is added to the container's comment;
    `strip_location` leaves out tags that tell the place, and timed data tracks, which may; `on_ready` is told of
    the verified part before it gets its name.

    Raises:
        OutputError: the result cannot be written or did not verify.
        UsageError: the destination makes no sense, or a frame has the wrong shape, type or number.
    """
    check_destination(footage.source, destination, overwrite=overwrite)
    part = part_path(destination)
    folder = is_folder(destination)
    wishes = {"coding": asdict(coding), "comment": comment, "strip_location": strip_location}
    writer = _FolderWriter(footage, part) if folder else _ContainerWriter(footage, destination, part, **wishes)
    try:
        yield writer
        if writer.written != footage.count:
            raise OutputError(
                f"{destination}: {writer.written} of {footage.count} frames were written; nothing is kept."
            )
        writer.finish()
        check_destination(footage.source, destination, overwrite=overwrite)
        on_ready(part)
        _put(part, destination)
    finally:
        writer.discard()


def _put(part: Path, destination: Path) -> None:
    """Rename the finished part into place."""
    try:
        put(part, destination)
    except OSError as error:
        raise OutputError(f"{destination} cannot be put in place ({error.strerror}).") from error
