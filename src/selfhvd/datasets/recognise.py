"""Which layout a folder has."""

from pathlib import Path

from selfhvd.datasets.layouts import LAYOUTS, Layout
from selfhvd.datasets.lists import list_files, pictures
from selfhvd.datasets.pairing import listed
from selfhvd.datasets.places import children, places
from selfhvd.datasets.strays import most_frequent
from selfhvd.errors import InputError, UsageError


def recognise(root: Path, *, mixed: bool = False) -> Layout:
    """The layout of `root` by the folders found in it; `InputError` if none fits, or several do.

    With `mixed`, of several layouts that one is taken which most clips have.
    """
    fitting = [layout for layout in LAYOUTS.values() if fits(layout, root)]
    if not fitting:
        raise InputError(_nothing(root, "videos, folders of images, or a tree of docs/datasets.md"))
    if mixed and not any(layout.kind == "lists" for layout in fitting):
        fitting = most_frequent(root)
    rank = min(layout.rank for layout in fitting)
    best = [layout.name for layout in fitting if layout.rank == rank]
    if len(best) > 1:
        names = " and ".join(best)
        raise InputError(f"{root} holds several layouts: expected one, found {names}; choose the layout.")
    return LAYOUTS[best[0]]


def named(name: str, root: Path) -> Layout:
    """The layout of that name; `InputError` if `root` holds nothing of it."""
    if name not in LAYOUTS:
        raise UsageError(f"Layout {name} is not known; choose auto, {', '.join(LAYOUTS)}.")
    if not fits(LAYOUTS[name], root):
        raise InputError(_nothing(root, f"{expected(LAYOUTS[name])} (layout {name})"))
    return LAYOUTS[name]


def fits(layout: Layout, root: Path) -> bool:
    """Whether `root` holds anything that looks like the layout."""
    if layout.kind == "lists":
        return bool(list_files(layout, root)) or pictures(layout, root).is_dir()
    return bool(places(layout, root))


def expected(layout: Layout) -> str:
    """The patterns of a layout in words, as `train|valid|test/CLIP/blur`."""
    words = {"part": "train|valid|test", "clip": "CLIP", "set": "SET"}
    patterns = (layout.lists,) if layout.lists else filter(None, (layout.blur, layout.truth))
    return " and ".join(pattern.format(**words) for pattern in patterns)


def _nothing(root: Path, what: str) -> str:
    """The sentence for a tree in which nothing was recognised."""
    if root.is_file():
        return f"{root} is a file: expected a folder of a dataset, or a video."
    databases = [path.name for path in (root, *children(root)) if _is_lmdb(path)]
    if databases:
        return f"{root} holds an LMDB database ({databases[0]}), which is not read: expected {what}; unpack it first."
    return f"{root} fits no layout: expected {what}, found {listed([path.name for path in children(root)])}."


def _is_lmdb(path: Path) -> bool:
    return path.suffix.lower() == ".lmdb" or (path / "data.mdb").exists()
