"""Restored frames, each kept on disk before it is handed on, so that a later run begins where this one ends."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from selfhvd.errors import OutputError
from selfhvd.ops.quantize import to_pixels
from selfhvd.run.deblurrer import Deblurrer
from selfhvd.system.atomic import replacing
from selfhvd.video import Footage, Frame
from selfhvd.video.frame_file import SUFFIX, is_whole_frame, link_frame, read_frame, write_frame

log = logging.getLogger(__name__)


def restored_frames(deblurrer: Deblurrer, footage: Footage, folder: Path) -> Iterator[Frame]:
    """The frames that `deblurrer` restores, in order, as they are stored: first those kept in `folder`, then new ones.

    Raises:
        OutputError: a frame cannot be kept.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made ({error.strerror}); make room and try again.") from error
    done = _kept(footage, folder)
    for index in range(done):
        yield _read(_path(folder, index))
    for index, image in enumerate(deblurrer.restore(done), done):
        frame = to_pixels(image, footage.depth)
        with replacing(_path(folder, index), owned=True) as part:
            _keep(footage, index, frame, part)
        yield frame


def _keep(footage: Footage, index: int, frame: Frame, path: Path) -> None:
    """Keep a restored frame; one that comes back as it came is not stored again."""
    if np.array_equal(frame, footage.frame(index)):
        link_frame(footage.path(index), path)
    else:
        write_frame(path, frame)


def _kept(footage: Footage, folder: Path) -> int:
    """How many frames from the first on are there and whole."""
    done = next((i for i in range(len(footage)) if not is_whole_frame(_path(folder, i))), len(footage))
    if done < len(footage) and _path(folder, done).exists():
        log.warning("%s is damaged: it is restored again, and those after it", _path(folder, done))
    if done:
        log.info("%d of %d frames were restored by an earlier run", done, len(footage))
    return done


def _path(folder: Path, index: int) -> Path:
    return folder / f"{index:08d}{SUFFIX}"


def _read(path: Path) -> Frame:
    image = read_frame(path)
    if image is None:
        raise OutputError(f"{path} was lost while the run went on; run the same command again.")
    return image
