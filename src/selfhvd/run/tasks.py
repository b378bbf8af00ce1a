"""Tasks: a clip's restoration cut into pieces that any process can do, each finished on disk before it counts."""

import logging
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch

from selfhvd.ops.quantize import to_pixels
from selfhvd.restore.restorer import Restorer
from selfhvd.restore.shelf import Shelf
from selfhvd.run.config import DeblurConfig
from selfhvd.run.deblurrer import Deblurrer
from selfhvd.run.places import finished_path
from selfhvd.system.atomic import replacing
from selfhvd.video import Footage, Frame
from selfhvd.video.frame_file import link_frame, write_frame


@dataclass(frozen=True)
class Workplace:
    """Where a clip's restoration is done, and how: all that a process needs to take part."""

    config: DeblurConfig
    folder: Path
    """The run's, with the stages that are finished."""
    footage: Footage
    shelf: Path
    """Folder for what tasks leave to one another."""
    restored: Path
    """Folder for the finished frames."""


@dataclass(frozen=True)
class Task:
    """A piece of the work. Done twice, or without what others should have done before, it leaves the same."""

    kind: Literal["guide", "alone", "finish"]
    """guide: sharp frame `first` as it guides others; alone: frame `first` before it is steadied; finish: from `first`
    to `end` (exclusive), as they are stored."""
    scene: int
    """Its number; frames are counted within it."""
    first: int
    end: int


def do(place: Workplace, task: Task) -> None:
    """One task, in one thread.

    Raises:
        OutputError: there is no room for what it leaves.
        DeviceError: there is no memory for it.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    restorer, start = _restorers(place)[task.scene]
    if restorer is None:
        raise ValueError(f"nothing is restored in scene {task.scene}")
    if task.kind == "guide":
        restorer.guiding(task.first)
    elif task.kind == "alone":
        restorer.alone(task.first)
    else:
        for index, image in enumerate(islice(restorer.since(task.first), task.end - task.first), start + task.first):
            keep_finished(place.footage, index, to_pixels(image, place.footage.depth), place.restored)


def keep_finished(footage: Footage, index: int, frame: Frame, folder: Path) -> None:
    """Keep finished frame `index`; one that comes back as it came is not stored again."""
    with replacing(finished_path(folder, index), owned=True) as part:
        if np.array_equal(frame, footage.frame(index)):
            link_frame(footage.path(index), part)
        else:
            write_frame(part, frame)


@lru_cache(maxsize=1)
def _restorers(place: Workplace) -> tuple[tuple[Restorer | None, int], ...]:
    """Those of each scene and where it begins; made of what the run has left on disk."""
    logging.getLogger("selfhvd").setLevel(logging.ERROR)  # the run itself has told it
    deblurrer = Deblurrer(place.config, place.folder).fit(place.footage, place.footage.keyframes)
    return tuple((deblurrer.restorer(scene, Shelf(place.shelf)), scene.start) for scene in deblurrer.scenes)
