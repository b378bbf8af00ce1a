"""Where the clips of a layout stand in a tree: patterns matched against folders."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selfhvd.datasets.layouts import PARTS, Layout, Part
from selfhvd.errors import InputError
from selfhvd.video.read.images import SUFFIXES, natural

VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mts", ".m2ts", ".ts", ".3gp", ".mpg", ".mpeg", ".wmv")
_LITTER = ("__MACOSX", "@eaDir")

Names = tuple[tuple[str, str], ...]
"""What the wildcards of a pattern stand for, as (("part", "test"), ("clip", "000"))."""


@dataclass(frozen=True)
class Place:
    """A clip that should be there: its folders (of a video: the file without its ending) may be missing."""

    name: str
    part: Part | None
    blur: Path
    truth: Path | None
    label: Path | None = None
    """Where a label belongs; there may be none."""


def places(layout: Layout, root: Path) -> tuple[Place, ...]:
    """The clips of `layout` under `root`, in natural order of their names; () if nothing there looks like it."""
    for skipped in range(len(_wild_head(layout.blur)) + 1):
        found = _places(layout, root, skipped)
        if any(shows(layout, place) for place in found):
            return found
    return ()


def shows(layout: Layout, place: Place) -> bool:
    """Whether a place bears the sign of its layout."""
    path = place.truth if layout.sign == "truth" else place.blur
    return path is not None and (find_video(path) is not None if layout.kind == "videos" else has_images(path))


def has_images(folder: Path) -> bool:
    """Whether there is an image in a folder; False if there is no such folder."""
    return any(path.suffix.lower() in SUFFIXES for path in children(folder))


def find_video(path: Path) -> Path | None:
    """The video file at `path`, or that which `path` is without its ending."""
    if path.suffix.lower() in VIDEOS and path.is_file():
        return path
    return next((other for other in _videos(path.parent) if other.stem == path.name), None)


def children(folder: Path) -> list[Path]:
    """What lies in a folder, in natural order, without hidden things; [] if it is no folder."""
    try:
        found = list(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}); check its permissions.") from error
    kept = [path for path in found if path.name[0] != "." and path.name not in _LITTER]
    return sorted(kept, key=lambda path: natural(path.name))


def _places(layout: Layout, root: Path, skipped: int) -> tuple[Place, ...]:
    """The clips of `layout` if the first `skipped` wildcards of its patterns stand above `root`."""
    above = _above(root, _wild_head(layout.blur)[:skipped])
    if "clip" in above and not re.fullmatch(layout.clip, above["clip"]):
        return ()
    patterns = [pattern.split("/")[skipped:] if pattern else None for pattern in _patterns(layout)]
    named = {names for pattern in patterns[:2] if pattern is not None for names in _match(root, pattern, layout)}
    found: list[Place] = []
    for names in named:
        bound = dict(names)
        part = bound.get("part", above.get("part"))
        blur, truth, label = (None if p is None else _bound(root, p, bound) for p in patterns)
        assert blur is not None
        found.append(
            Place(
                name="/".join(bound.values()) or root.resolve().name,
                part=next((known for known in PARTS if known == part), None),
                blur=blur,
                truth=truth,
                label=label,
            )
        )
    return tuple(sorted(found, key=lambda place: natural(place.name)))


def _patterns(layout: Layout) -> tuple[str, str, str]:
    """Where a clip's frames, its truth and its label are."""
    return layout.blur, layout.truth, layout.labels


def _bound(root: Path, pattern: list[str], names: dict[str, str]) -> Path:
    """The path of a pattern whose wildcards stand for `names`."""
    return root.joinpath(*(segment.format(**names) for segment in pattern))


def _match(root: Path, pattern: list[str], layout: Layout) -> set[Names]:
    """What the wildcards of a pattern can stand for, going by the folders down to that of the clip."""
    last = max((n for n, segment in enumerate(pattern) if "{" in segment), default=-1)
    found: dict[Names, Path] = {(): root}
    for n, segment in enumerate(pattern[: last + 1]):
        file = layout.kind == "videos" and n == last
        found = {
            names + new: child for names, folder in found.items() for new, child in _step(folder, segment, layout, file)
        }
    return set(found)


def _step(folder: Path, segment: str, layout: Layout, file: bool) -> Iterator[tuple[Names, Path]]:
    """The children of a folder that fit one segment of a pattern, with what its wildcards stand for."""
    fits = _regex(segment, layout.clip)
    seen: dict[str, Path] = {}
    for child in _videos(folder) if file else children(folder):
        # With a truth the two files of a pair may end differently.
        name = child.stem if file and layout.truth else child.name
        match = fits.fullmatch(name)
        if match and (file or child.is_dir()):
            if name in seen:
                raise InputError(f"{seen[name]} and {child.name} have one name for two videos; rename one of them.")
            seen[name] = child
            yield tuple(match.groupdict().items()), child


def _regex(segment: str, clip: str) -> re.Pattern[str]:
    """One segment of a pattern as a regular expression with named groups."""
    wild = {"part": "|".join(PARTS), "clip": clip, "set": ".+"}
    words = re.split(r"\{(\w+)\}", segment)
    return re.compile("".join(f"(?P<{w}>{wild[w]})" if n % 2 else re.escape(w) for n, w in enumerate(words)))


def _wild_head(pattern: str) -> list[str]:
    """The segments at the head of a pattern that are nothing but a wildcard, as ["part", "clip"]."""
    head: list[str] = []
    for segment in pattern.split("/"):
        if not re.fullmatch(r"\{\w+\}", segment):
            break
        head.append(segment[1:-1])
    return head


def _above(root: Path, wild: list[str]) -> dict[str, str]:
    """What the skipped wildcards stand for, by the names of `root` and the folders above it."""
    resolved = root.resolve()
    names = [resolved.name, *(folder.name for folder in resolved.parents)]
    return dict(zip(reversed(wild), names, strict=False))


def _videos(folder: Path) -> list[Path]:
    return [path for path in children(folder) if path.suffix.lower() in VIDEOS and path.is_file()]
