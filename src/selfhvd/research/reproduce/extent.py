"""How large a part of a dataset is: counted where it is there, else as published."""

from dataclasses import dataclass

from selfhvd.datasets import image_size, open_dataset
from selfhvd.errors import InputError
from selfhvd.research.reproduce.jobs import Site
from selfhvd.training.recipe import Recipe


@dataclass(frozen=True)
class Extent:
    """Clips of one size."""

    clips: int
    frames: int
    """Of all clips together."""
    width: int
    height: int
    counted: bool = False
    """Whether on this disk."""


_PUBLISHED: dict[tuple[str, str | None], Extent] = {
    ("GoProShake", "train"): Extent(22, 2103, 1280, 720),
    ("GoProShake", "test"): Extent(11, 1111, 1280, 720),
    ("GoPro", "train"): Extent(22, 2103, 1280, 720),
    ("GoPro", "test"): Extent(11, 1111, 1280, 720),
    **{(f"BSD_{name}", "test"): Extent(20, 3000, 640, 480) for name in ("1ms8ms", "2ms16ms", "3ms24ms")},
    **{(f"BSD_{name}", "train"): Extent(60, 6000, 640, 480) for name in ("1ms8ms", "2ms16ms", "3ms24ms")},
}
"""GoProShake is made of GoPro's clips; of HVD, RealBlur and RBVD not all of this is published."""


def extent_of(recipe: Recipe, site: Site) -> Extent | None:
    """Of what a recipe learns from; None where the dataset is not there and its size not known."""
    data = recipe.data
    if site.small is not None:
        size, clips = site.small, site.small.train if data.part == "train" else site.small.test
        return Extent(clips, clips * size.frames, size.width, size.height, counted=True)
    try:
        clips = open_dataset(data.folder, data.layout, data.part, on_fault=lambda fault: None).clips
    except InputError:
        return _PUBLISHED.get((data.folder.name, data.part))
    frames = sum(len(clip.frame_paths) for clip in clips)
    sizes = [image_size(clip.frame_paths[0]) for clip in clips[:1] if clip.frame_paths]
    return Extent(len(clips), frames, *sizes[0], counted=True) if sizes else None
