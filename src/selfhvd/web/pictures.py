"""Pictures for a browser; those of a run under way are read from its work folder."""

from pathlib import Path

import cv2
import numpy as np

from selfhvd.run.places import FOOTAGE, RESTORED, finished_path, work_path
from selfhvd.video.footage import frame_path
from selfhvd.video.frame import Frame, as_bytes, reduced
from selfhvd.video.frame_file import read_frame
from selfhvd.web.folder import JobFolder
from selfhvd.web.record import Job
from selfhvd.web.runner import destination_name

_LONGEST = 1280
"""Pixels of the longer side that is shown."""
_QUALITY = 85


def jpeg(picture: Frame) -> bytes:
    """A picture as JPEG, of 8 bits a channel."""
    pixels = np.ascontiguousarray(as_bytes(picture)[..., ::-1])
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def picture_under_way(job: Job, folder: JobFolder, index: int, *, restored: bool) -> bytes | None:
    """Frame `index` as JPEG, reduced; None where it is not there yet, or no more."""
    work = work_path(folder.output / destination_name(job.source))
    path = finished_path(work / RESTORED, index) if restored else frame_path(work / FOOTAGE, index)
    frame = _read(path)
    return None if frame is None else jpeg(reduced(frame, _LONGEST))


def _read(path: Path) -> Frame | None:
    return read_frame(path) if path.exists() else None
