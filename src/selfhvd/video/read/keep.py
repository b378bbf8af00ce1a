"""Frames laid out as they are decoded, no larger and no faster than is wanted. Runs in the child process."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from selfhvd.video.footage import frame_path
from selfhvd.video.frame import Frame, reduced
from selfhvd.video.frame_file import link_frame, write_frame
from selfhvd.video.limits import Limits
from selfhvd.video.process.protocol import Report

_PAUSE = 0.02
"""Seconds."""


class Keeper:
    """Puts frames into a cache folder, one behind: a frame is coded and written while the next one is decoded.

    Each is reported when it lies there. Where frames are taken away as they are read, the reader is waited for.
    """

    def __init__(self, folder: Path, limits: Limits, report: Report) -> None:
        self._folder, self._limits, self._report = folder, limits, report
        self._thread = ThreadPoolExecutor(1)
        self._written: Future[None] | None = None
        self.count = 0
        """Frames so far, the one that is being written among them."""
        self.total: int | None = None
        """How many there will be, where that is known."""

    def __enter__(self) -> "Keeper":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        try:
            if kind is None:
                self._settle()
        finally:
            self._thread.shutdown()

    def keep(self, picture: Frame) -> Frame:
        """The next frame; as it is kept.

        Raises:
            OutputError: there is no room for the frame before it, or it cannot be written for another reason.
        """
        self._settle()
        self._wait_for_reader()
        kept = reduced(picture, self._limits.longest)
        self._written = self._thread.submit(write_frame, frame_path(self._folder, self.count), kept)
        self.count += 1
        return kept

    def repeat(self) -> None:
        """The frame before once more.

        Raises:
            OutputError: as `keep`.
        """
        self._settle()
        link_frame(frame_path(self._folder, self.count - 1), frame_path(self._folder, self.count))
        self.count += 1
        self._report(frame=self.count, total=self.total)

    def _settle(self) -> None:
        """Wait for the frame that is being written."""
        if self._written is not None:
            self._written.result()
            self._written = None
            self._report(frame=self.count, total=self.total)

    def _wait_for_reader(self) -> None:
        ahead = self._limits.ahead
        while ahead is not None and self.count >= ahead and frame_path(self._folder, self.count - ahead).exists():
            self._report(waiting=self.count)  # a sign of life, and the end where nobody reads any more
            time.sleep(_PAUSE)
