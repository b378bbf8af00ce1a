"""Clips put together from lists of pairs, as RealBlur comes: "truth blurry" per line."""

from pathlib import Path

from selfhvd.datasets.dataset import DatasetClip
from selfhvd.datasets.layouts import PARTS, Layout, Part
from selfhvd.datasets.pairing import check_sizes, listed
from selfhvd.datasets.places import children
from selfhvd.errors import InputError
from selfhvd.video.read.images import natural

Pairs = list[tuple[Path, Path]]
"""(truth, blurry)."""


def list_files(layout: Layout, root: Path) -> dict[Part, Path]:
    """The lists of a layout that are in `root`."""
    paths: dict[Part, Path] = {part: root / layout.lists.format(part=part) for part in PARTS}
    return {part: path for part, path in paths.items() if path.is_file()}


def pictures(layout: Layout, root: Path) -> Path:
    """The folder of a layout's scenes."""
    return root / layout.blur.split("/")[0]


def scenes(layout: Layout, root: Path, part: Part) -> dict[str, Pairs]:
    """The pairs of each scene of a part, in natural order of the blurry frames."""
    path = root / layout.lists.format(part=part)
    found: dict[str, Pairs] = {}
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        words = line.split()
        if words:
            truth, blur = _pair(root, path, number, words)
            found.setdefault(blur.parent.parent.name, []).append((truth, blur))
    if not found:
        raise InputError(f"{path} is empty: expected a truth and a blurry image on each line.")
    return {scene: sorted(found[scene], key=lambda pair: natural(pair[1].name)) for scene in sorted(found, key=natural)}


def scene_clip(scene: str, part: Part, pairs: Pairs) -> DatasetClip:
    """One scene as a clip; `InputError` names the files that a list names in vain."""
    name = f"{part}/{scene}"
    missing = [str(path) for pair in pairs for path in pair if not path.is_file()]
    if missing:
        there = listed([path.name for path in children(Path(missing[0]).parent)])
        raise InputError(f"Clip {name} lacks images of its list: expected {listed(missing)}, found {there} there.")
    frames, truth = tuple(blur for _, blur in pairs), tuple(sharp for sharp, _ in pairs)
    check_sizes(name, frames, truth)
    return DatasetClip(name, part, frames, truth)


def _pair(root: Path, path: Path, number: int, words: list[str]) -> tuple[Path, Path]:
    """The two paths of a line."""
    if len(words) != 2 or any(Path(word).is_absolute() or ".." in Path(word).parts for word in words):
        found = " ".join(words)[:200]
        raise InputError(f"{path} line {number} is no pair: expected two paths inside {root}, found {found}.")
    return root / words[0], root / words[1]
