"""Restored frames, each kept on disk before it is handed on, so that a later run begins where this one ends."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from selfhvd.errors import OutputError
from selfhvd.run.deblurrer import Deblurrer
from selfhvd.system.atomic import replacing
from selfhvd.video import Footage, Frame
from selfhvd.video.png import is_whole_png, read_png, write_png

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
        frame = as_stored(image, footage.depth)
        with replacing(_path(folder, index), owned=True) as part:
            write_png(part, frame)
        yield frame


def as_stored(image: Float[Tensor, "3 height width"], depth: int) -> Frame:
    """An image in [0, 1] in 8 bits a channel, or in 16 for a source of more."""
    kind = np.uint8 if depth == 8 else np.uint16
    array = (np.iinfo(kind).max * image.clamp(0, 1)).round().permute(1, 2, 0).numpy()
    return array.astype(kind)


def _kept(footage: Footage, folder: Path) -> int:
    """How many frames from the first on are there and whole."""
    done = next((i for i in range(len(footage)) if not is_whole_png(_path(folder, i))), len(footage))
    if done < len(footage) and _path(folder, done).exists():
        log.warning("%s is damaged: it is restored again, and those after it", _path(folder, done))
    if done:
        log.info("%d of %d frames were restored by an earlier run", done, len(footage))
    return done


def _path(folder: Path, index: int) -> Path:
    return folder / f"{index:08d}.png"


def _read(path: Path) -> Frame:
    image = read_png(path)
    if image is None:
        raise OutputError(f"{path} was lost while the run went on; run the same command again.")
    return image
