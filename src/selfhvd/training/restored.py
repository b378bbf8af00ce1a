"""Write a restored clip as numbered PNG files, whole or not at all."""

import shutil
from pathlib import Path

import torch

from selfhvd.restore.restorer import Restorer
from selfhvd.system.progress import Progress, Stage
from selfhvd.video.png import write_png


def write_restored(restorer: Restorer, count: int, target: Path, on_progress: Progress) -> None:
    """Write the frames aside, then give the folder its name.

    Args:
        restorer: gives the frames.
        count: how many there are.
        target: gets 00000000.png and so on.
        on_progress: told stage, frames done, frames in all.
    """
    aside = target.with_name(f".{target.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for index, frame in enumerate(restorer):
        pixels = (255 * frame.clamp(0, 1)).round().to(torch.uint8).permute(1, 2, 0).numpy()
        write_png(aside / f"{index:08d}.png", pixels)
        on_progress(Stage.RESTORE, index + 1, count)
    aside.replace(target)
