"""Sources: the clips that files, folders, lists and addresses stand for, and the names of their results."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfhvd.errors import InputError, UsageError
from selfhvd.fleet.storage import as_path, file_system, is_address, join, shown, size_of
from selfhvd.run.batch import VIDEOS, gather, lay_out
from selfhvd.video.destination import RESULT
from selfhvd.video.read.images import natural

LISTS = (".txt", ".lst")
"""Suffixes of files that hold sources, one a line."""


@dataclass(frozen=True)
class Wanted:
    """A clip, where its result goes, and its size in bytes (0: not known), by which the largest come first."""

    source: str
    result: str
    size: int


def wanted(
    sources: Sequence[str], output: str, ending: str = RESULT, known: Mapping[str, str] | None = None
) -> list[Wanted]:
    """The clips of all sources, each once, with results of different names in `output`.

    `known`: sources of earlier calls and their results, which keep these names.

    Folders are looked into as by `selfhvd deblur`. Of a folder at an address the files with the suffix of a video are
    taken, and of a pattern (`s3://bucket/**/*.mp4`) those that fit it. A file that ends in .txt or .lst holds sources,
    one a line; empty lines and those that begin with `#` are passed over.

    Raises:
        InputError: a source cannot be read, or holds no video.
        UsageError: a result would replace a clip.
    """
    found: dict[str, tuple[str, int]] = {}
    for source in _listed(sources):
        for address, size in _clips(source):
            found.setdefault(address if is_address(address) else str(Path(address).resolve()), (address, size))
    sizes = dict(found.values())
    results = dict(known or {})
    new = [source for source in sizes if source not in results]
    places = lay_out([Path(source) for source in new], Path(output), ending, map(Path, results.values()))
    results |= {source: join(output, place.destination.name) for source, place in zip(new, places, strict=True)}
    return [Wanted(source, results[source], size) for source, size in sizes.items()]


def _listed(sources: Sequence[str]) -> Iterator[str]:
    """The sources, and those that lists hold."""
    for source in sources:
        if is_address(source) or as_path(source).suffix.lower() not in LISTS:
            yield source
            continue
        try:
            lines = as_path(source).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        except OSError as error:
            raise InputError(f"{source} cannot be read ({error.strerror}).") from error
        yield from (line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _clips(source: str) -> Iterator[tuple[str, int]]:
    """Address and size of each clip that a source stands for."""
    if is_address(source):
        yield from _remote(source)
        return
    for path in gather([as_path(source)]):
        yield _one_name(path), _size(path)


def _one_name(path: Path) -> str:
    """Without `..`, which after a link does not lead back."""
    plain = os.path.abspath(path)
    return plain if Path(plain).resolve() == path.resolve() else str(path.resolve())


def _size(path: Path) -> int:
    """0 where it cannot be read: that is told when its turn comes."""
    try:
        return size_of(str(path))
    except InputError:
        return 0


def _remote(address: str) -> Iterator[tuple[str, int]]:
    """What is named like a video is one, and is looked at when its turn comes: lists of many are read fast."""
    if not any(sign in address for sign in "*?[") and Path(address).suffix.lower() in VIDEOS:
        yield address, 0
        return
    system, inner = file_system(address)
    try:
        facts = _facts(system, inner)
    except Exception as error:
        raise InputError(f"{shown(address)} cannot be read ({str(error).replace(address, shown(address))}).") from error
    taken = [one for one in facts if one["type"] == "file" and _is_video(one["name"])]
    if not taken:
        raise InputError(
            f"{shown(address)} holds no video; name a video, a folder of videos or a pattern such as *.mp4."
        )
    for one in sorted(taken, key=lambda one: natural(one["name"])):
        yield system.unstrip_protocol(one["name"]), int(one.get("size") or 0)


def _facts(system: Any, inner: str) -> list[dict[str, Any]]:  # noqa: ANN401 - fsspec has no types
    if any(sign in inner for sign in "*?["):
        return list(system.glob(inner, detail=True).values())
    return list(system.ls(inner, detail=True))


def _is_video(name: str) -> bool:
    path = Path(name)
    return path.suffix.lower() in VIDEOS and path.name[0] != "." and not path.stem.endswith(RESULT)


def check_output(output: str) -> None:
    """`UsageError` unless results can go there by its name; what it costs to write is found when they do."""
    if is_address(output):
        file_system(output)
    elif as_path(output).is_file():
        raise UsageError(f"--output {output} is no folder; a fleet needs one.")
