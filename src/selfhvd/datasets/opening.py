"""Open a dataset as it lies on disk."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from selfhvd.datasets.dataset import Dataset, DatasetClip
from selfhvd.datasets.layouts import Layout, Part
from selfhvd.datasets.lists import list_files, scene_clip, scenes
from selfhvd.datasets.pairing import clip_at, listed
from selfhvd.datasets.places import children, places
from selfhvd.datasets.recognise import expected, named, recognise
from selfhvd.datasets.strays import refuse, strays
from selfhvd.errors import InputError
from selfhvd.video.read.images import natural

Maker = Callable[[], DatasetClip]


def open_dataset(
    path: str | Path,
    layout: str = "auto",
    part: Part | None = None,
    *,
    on_fault: Callable[[InputError], None] | None = None,
) -> Dataset:
    """List the clips under `path`; images are read only when frames are asked for.

    Clips and frames are in natural order (img2 before img10), numbers may have gaps, and a truth has the name of its
    frame. Where a clip has a truth, the size of its first frame is compared.

    Args:
        path: a whole dataset, one part of it, or one clip; or a video file.
        layout: a key of `LAYOUTS`, or auto to go by the folders found.
        part: only clips of train, valid or test; None: all of them.
        on_fault: called with the error of each clip that cannot be used, and the rest goes on; without it the first
            such error is raised.

    Raises:
        InputError: nothing there has the layout, or several have; the part is missing; a clip is incomplete or empty;
            no clip is left.
        UsageError: there is no such layout.
    """
    root = Path(path)
    if not root.exists():
        raise InputError(f"{root} does not exist; expected a folder of a dataset.")
    auto = layout == "auto"
    chosen = recognise(root, mixed=on_fault is not None) if auto else named(layout, root)
    makers = [*_of_part(chosen, root, part), *(_stray(chosen, root, part) if auto else ())]
    clips: list[DatasetClip] = []
    for make in makers:
        try:
            clips.append(make())
        except InputError as error:
            if on_fault is None:
                raise
            on_fault(error)
    if not clips:
        raise InputError(f"{root} has no clip that can be used: expected {expected(chosen)}, found only broken ones.")
    ordered = sorted(clips, key=lambda clip: natural(clip.name))
    return Dataset(root.resolve().name, chosen.name, tuple(ordered))


def _of_part(layout: Layout, root: Path, part: Part | None) -> list[Maker]:
    """How to make each clip of a part; `InputError` if there is no such part."""
    makers = list(_listed(layout, root, part) if layout.kind == "lists" else _placed(layout, root, part))
    if not makers:
        found = listed([path.name for path in children(root)])
        raise InputError(f"{root} has no part {part or 'at all'}: expected {expected(layout)}, found {found}.")
    return makers


def _stray(chosen: Layout, root: Path, part: Part | None) -> Iterator[Maker]:
    """For each clip of another layout what says so: the folder was taken for one that holds no such clips."""
    for layout, place in strays(root, chosen):
        if part in (None, place.part):
            yield partial(refuse, layout, place, chosen)


def _placed(layout: Layout, root: Path, part: Part | None) -> Iterator[Maker]:
    for place in places(layout, root):
        if part in (None, place.part):
            yield partial(clip_at, layout, place)


def _listed(layout: Layout, root: Path, part: Part | None) -> Iterator[Maker]:
    for there in list_files(layout, root):
        if part in (None, there):
            for scene, pairs in scenes(layout, root, there).items():
                yield partial(scene_clip, scene, there, pairs)
