"""Pictures of a run under way: its newest frame, as it came and as it was restored, read from the work folder."""

from pathlib import Path

from selfhvd.run.places import FOOTAGE, RESTORED, finished_path, work_path
from selfhvd.video.footage import frame_path
from selfhvd.video.frame import Frame, reduced
from selfhvd.video.frame_file import read_frame
from selfhvd.web.folder import JobFolder
from selfhvd.web.look import jpeg
from selfhvd.web.record import Job
from selfhvd.web.runner import destination_name

_LONGEST = 1280
"""Pixels of the longer side that is shown."""


def picture_under_way(job: Job, folder: JobFolder, index: int, *, restored: bool) -> bytes | None:
    """Frame `index` as JPEG, reduced; None where it is not there yet, or no more."""
    work = work_path(folder.output / destination_name(job.source))
    path = finished_path(work / RESTORED, index) if restored else frame_path(work / FOOTAGE, index)
    frame = _read(path)
    return None if frame is None else jpeg(reduced(frame, _LONGEST))


def _read(path: Path) -> Frame | None:
    return read_frame(path) if path.exists() else None
