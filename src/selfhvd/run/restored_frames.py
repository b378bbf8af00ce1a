"""Restored frames, each kept on disk before it is handed on, so that a later run begins where this one ends."""

import logging
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from selfhvd.errors import OutputError
from selfhvd.ops.quantize import to_pixels
from selfhvd.run.deblurrer import Deblurrer
from selfhvd.run.places import finished_path
from selfhvd.run.schedule import finished_frames
from selfhvd.run.tasks import Workplace, keep_finished
from selfhvd.run.workers import Crew
from selfhvd.video import Footage, Frame
from selfhvd.video.frame_file import is_whole_frame, read_frame

log = logging.getLogger(__name__)


def restored_frames(
    deblurrer: Deblurrer, footage: Footage, work: Path, folder: Path, workers: Crew | None = None
) -> Iterator[Frame]:
    """The frames that `deblurrer` restores, in order, as they are stored: first those kept in `folder`, then new ones.

    Args:
        deblurrer: fitted.
        footage: the clip.
        work: folder of the run.
        folder: where restored frames are kept.
        workers: who restores; None: this process.

    Raises:
        OutputError: a frame cannot be kept.
        DeviceError: there is not enough memory.
    """
    _make(folder)
    done = _kept(footage, folder)
    for index in range(done):
        yield _read(finished_path(folder, index))
    if workers is not None and deblurrer.can_share() and done < len(footage):
        place = Workplace(deblurrer.config, work, footage, work / "shelf", folder)
        yield from _shared(deblurrer, place, done, workers)
        return
    for index, image in enumerate(deblurrer.restore_on_device(done), done):
        frame = to_pixels(image, footage.depth)
        keep_finished(footage, index, frame, folder)
        yield frame


def _shared(deblurrer: Deblurrer, place: Workplace, first: int, workers: Crew) -> Iterator[Frame]:
    """The frames from `first` on, restored by `workers`."""
    for number, scene in enumerate(deblurrer.scenes):
        if scene.end <= first:
            continue
        begin = max(0, first - scene.start)
        restorer = deblurrer.restorer(scene)
        if restorer is None:
            for index in range(scene.start + begin, scene.end):
                frame = place.footage.frame(index)
                keep_finished(place.footage, index, frame, place.restored)
                yield frame
            continue
        shutil.rmtree(place.shelf, ignore_errors=True)
        _make(place.shelf)
        submit = partial(workers.submit, place)
        for index in finished_frames(restorer, number, begin, workers.count, submit, place.shelf):
            yield _read(finished_path(place.restored, scene.start + index))
    shutil.rmtree(place.shelf, ignore_errors=True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made ({error.strerror}); make room and try again.") from error


def _kept(footage: Footage, folder: Path) -> int:
    """How many frames from the first on are there and whole."""
    done = next((i for i in range(len(footage)) if not is_whole_frame(finished_path(folder, i))), len(footage))
    if done < len(footage) and finished_path(folder, done).exists():
        log.warning("%s is damaged: it is restored again, and those after it", finished_path(folder, done))
    if done:
        log.info("%d of %d frames were restored by an earlier run", done, len(footage))
    return done


def _read(path: Path) -> Frame:
    image = read_frame(path)
    if image is None:
        raise OutputError(f"{path} was lost while the run went on; run the same command again.")
    return image
