"""Write a restored clip as numbered PNG files, whole or not at all."""

from pathlib import Path

from selfhvd.ops.quantize import to_pixels
from selfhvd.restore.restorer import Restorer
from selfhvd.system.atomic import replacing
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
    with replacing(target, owned=True) as part:
        part.mkdir(parents=True)
        for index, frame in enumerate(restorer):
            write_png(part / f"{index:08d}.png", to_pixels(frame))
            on_progress(Stage.RESTORE, index + 1, count)
