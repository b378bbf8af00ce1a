"""Which frames are chosen as sharp, and how far a person agrees."""

from collections.abc import Callable
from pathlib import Path

from selfhvd.datasets import DatasetClip, open_dataset
from selfhvd.errors import InputError
from selfhvd.extensions.selection import find_sharp
from selfhvd.metrics.accuracy import read_labels, sharp_accuracy
from selfhvd.research.reproduce.jobs import Job, Site
from selfhvd.research.reproduce.rows import Place
from selfhvd.system.progress import Progress
from selfhvd.video.image_frames import ImageFrames


def measure_selection(
    job: Job, place: Place, site: Site, on_progress: Progress, on_fault: Callable[[InputError], None]
) -> dict[str, float]:
    """Over all frames of all clips, in percent; `chosen` and `agreement` where there are labels.

    Raises:
        InputError: there is no dataset, or no clip of it can be read.
    """
    clips = open_dataset(site.folder(place), site.layout(place), place.part, on_fault=on_fault).clips
    chosen: list[bool] = []
    labelled: list[tuple[bool, bool]] = []
    for number, clip in enumerate(clips):
        frames = ImageFrames(clip.frame_paths, alike=False)
        sharp = set(find_sharp(frames, (False,) * len(frames), job.recipe.sharp).sharp)
        mine = [index in sharp for index in range(len(frames))]
        chosen += mine
        try:
            labelled += zip(mine, _labels(clip, place, site) or (), strict=False)
        except InputError as error:
            on_fault(error)
        on_progress("select", number + 1, len(clips))
    found = {"share": 100 * sum(chosen) / len(chosen)}
    if labelled:
        found["agreement"] = 100 * sharp_accuracy(*zip(*labelled, strict=True))
        if right := [label for mine, label in labelled if mine]:
            found["chosen"] = 100 * sum(right) / len(right)
    return found


def _labels(clip: DatasetClip, place: Place, site: Site) -> tuple[bool, ...] | None:
    """The dataset's own, else FOLDER/labels/DATASET/CLIP.json or .txt; None where there is none."""
    if (own := clip.label()) is not None:
        return own.sharp
    path = next((path for path in label_paths(clip, place, site) if path.is_file()), None)
    if path is None:
        return None
    labels = read_labels(path)
    if len(labels) != len(clip.frame_paths):
        raise InputError(f"{path} is of {len(labels)} frames, but clip {clip.name} has {len(clip.frame_paths)}.")
    return labels


def label_paths(clip: DatasetClip, place: Place, site: Site) -> tuple[Path, ...]:
    """Where a clip's labels are looked for."""
    stem = site.data / "labels" / place.folder / clip.name
    return stem.with_name(f"{stem.name}.json"), stem.with_name(f"{stem.name}.txt")
