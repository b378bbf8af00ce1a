"""Clips for `--small`: each dataset's stand-in, filmed by the virtual phone, with truth and labels."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from selfhvd.research.benchmark.clips import Clip, film
from selfhvd.research.benchmark.size import Size as Filmed
from selfhvd.research.reproduce.size import Size
from selfhvd.system.progress import Progress
from selfhvd.video.png import write_png

_BLUR: dict[str, float] = {
    "BSD/BSD_1ms8ms": 26.0,
    "BSD/BSD_2ms16ms": 25.0,
    "BSD/BSD_3ms24ms": 26.0,
    "RealBlur": 26.0,
    "RBVD": 25.0,
}
"""dB that blurry frames have, about (Table 3 has such numbers for what is not adapted); elsewhere 28."""
_NAMES = ("GoProShake", "HVD", "GoPro", *_BLUR)
_TRIES = 4


def make_data(
    folder: Path, names: Iterable[str], size: Size, photos: Sequence[Path], seed: int, on_progress: Progress
) -> Path:
    """Film what is not there yet; the folder that stands for --data.

    Args:
        folder: for all seeds and sizes.
        names: of the datasets, as their places have them.
        size: how many clips, how large.
        photos: what is filmed.
        seed: another seed, other clips.
        on_progress: told stage, done, total.
    """
    root = folder / f"seed-{seed}-{_key(size, photos)}"
    for name in names:
        if not (root / name).exists():
            _make(root, name, size, photos, seed, on_progress)
    return root


def _key(size: Size, photos: Sequence[Path]) -> str:
    filmed = {
        name: value
        for name, value in asdict(size).items()
        if name in ("train", "test", "frames", "objects", "width", "height")
    }
    said = json.dumps([filmed, [path.name for path in photos]], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:8]


def _make(root: Path, name: str, size: Size, photos: Sequence[Path], seed: int, on_progress: Progress) -> None:
    aside = root / f"{name}.part"
    shutil.rmtree(aside, ignore_errors=True)
    filmed = Filmed(
        frames=size.frames, width=size.width, height=size.height, blurry_psnr=_BLUR.get(name, 28.0), tries=_TRIES
    )
    number, total = 0, size.train + size.test
    for part, count in (("train", size.train), ("test", size.test)):
        for index in range(count):
            # No two clips have a seed in common; neighbours in a dataset show different photos.
            moving = size.objects and index % size.objects == size.objects - 1
            clip = film(
                photos, filmed, 10_000 * seed + 100 * _NAMES.index(name) + number, "object" if moving else "plain"
            )
            _write(clip, aside, root / "labels" / name / part, part, f"{index:03d}")
            number += 1
            on_progress("film", number, total)
    aside.replace(root / name)


def _write(clip: Clip, dataset: Path, labels: Path, part: str, name: str) -> None:
    for kind, images in (("blur", clip.frames), ("gt", clip.truth)):
        folder = dataset / f"{part}_{kind}" / name
        folder.mkdir(parents=True)
        for index, image in enumerate(images):
            write_png(folder / f"{index:08d}.png", image)
    labels.mkdir(parents=True, exist_ok=True)
    sharp = [int(index in clip.sharp) for index in range(len(clip.frames))]
    (labels / f"{name}.json").write_text(json.dumps(sharp), encoding="utf-8")
