"""Frames laid out as they are decoded, no larger and no faster than is wanted. Runs in the child process."""

import time
from pathlib import Path

from selfhvd.video.footage import frame_path
from selfhvd.video.frame import Frame, reduced
from selfhvd.video.frame_file import write_frame
from selfhvd.video.limits import Limits
from selfhvd.video.process.protocol import Report

_PAUSE = 0.02
"""Seconds."""


def keep(folder: Path, index: int, picture: Frame, limits: Limits, report: Report) -> Frame:
    """Cache frame `index` under `folder`; as it is kept.

    Where frames are taken away as they are read, the reader is waited for.
    """
    while limits.ahead is not None and index >= limits.ahead and frame_path(folder, index - limits.ahead).exists():
        report(waiting=index)  # a sign of life, and the end where nobody reads any more
        time.sleep(_PAUSE)
    kept = reduced(picture, limits.longest)
    write_frame(frame_path(folder, index), kept)
    return kept
