"""`selfhvd datasets`: what is recognised in a folder."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.table import Column, Table

from selfhvd.errors import InputError, PartialError

if TYPE_CHECKING:
    from selfhvd.datasets import Dataset, DatasetClip


@dataclass(frozen=True)
class _Row:
    """One clip as it is shown."""

    clip: str
    part: str | None
    frames: int | None
    """None: the video does not say."""
    width: int
    height: int
    truth: bool


def datasets(
    path: Path,
    *,
    layout: str = "auto",
    part: Literal["train", "valid", "test"] | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")] = False,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")] = False,
) -> None:
    """Show what is recognised in a folder of clips: layout, clips, frames, sizes, truth.

    Broken clips are named, the rest is shown, and the exit code is 7.

    Args:
        path: a dataset, one part of it, or one clip; or a folder of videos or of folders of frames.
        layout: auto, or: gopro, gopro-gamma, gopro-repacked, gopro-kair, gopro-240, bsd, realblur-j, realblur-r,
            goproshake, hvd, pairs, frames, video-pairs, videos.
        part: only the clips of this part.
        as_json: print the facts as JSON, with the faults.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.datasets import LAYOUTS, open_dataset

    faults: list[InputError] = []

    def tell(fault: InputError) -> None:
        faults.append(fault)
        sys.stderr.write(f"selfhvd: {fault}\n")

    dataset = open_dataset(path, layout, part, on_fault=tell)
    rows: list[_Row] = []
    for clip in dataset.clips:
        try:
            rows.append(_row(clip))
        except InputError as error:
            tell(error)
    if rows and as_json:
        _out(json.dumps(_facts(dataset, rows, faults), indent=2))
    elif rows:
        _out(f"{dataset.layout}: {LAYOUTS[dataset.layout].about}\n")
        Console().print(_table(rows))
        _out(f"\n{_sum(rows)}")
    if not rows:
        raise InputError(f"{path} holds no clip that can be used.")
    if faults:
        raise PartialError(f"{len(faults)} of {len(faults) + len(rows)} clips in {path} cannot be used.")


def _row(clip: "DatasetClip") -> _Row:
    """Look at the first frame of a clip."""
    from selfhvd.datasets import image_size
    from selfhvd.video import probe

    if clip.video is None:
        width, height = image_size(clip.frame_paths[0])
        return _Row(clip.name, clip.part, len(clip.frame_paths), width, height, clip.has_truth)
    seen = probe(clip.video)
    if clip.truth_video is not None:
        true = probe(clip.truth_video)
        lengths = {length for length in (seen.stated_frames, true.stated_frames) if length is not None}
        if len(lengths) > 1 or (true.width, true.height) != (seen.width, seen.height):
            raise InputError(
                f"Clip {clip.name} and its truth differ: expected equal size and length, found {clip.video}"
                f" with {_said(seen.stated_frames, seen.width, seen.height)} and {clip.truth_video}"
                f" with {_said(true.stated_frames, true.width, true.height)}."
            )
    return _Row(clip.name, clip.part, seen.stated_frames, seen.width, seen.height, clip.has_truth)


def _facts(dataset: "Dataset", rows: list[_Row], faults: list[InputError]) -> dict[str, object]:
    """Plain data."""
    return {
        "name": dataset.name,
        "layout": dataset.layout,
        "clips": [vars(row) for row in rows],
        "faults": [str(fault) for fault in faults],
    }


def _table(rows: list[_Row]) -> Table:
    """A line for each clip."""
    right = [Column(name, justify="right") for name in ("frames", "size")]
    table = Table("clip", *right, "truth", box=None, pad_edge=False)
    for row in rows:
        frames = "not stated" if row.frames is None else str(row.frames)
        table.add_row(row.clip, frames, f"{row.width}x{row.height}", "yes" if row.truth else "no")
    return table


def _sum(rows: list[_Row]) -> str:
    """All rows in words."""
    frames = sum(row.frames or 0 for row in rows)
    some = "at least " if any(row.frames is None for row in rows) else ""
    return f"{len(rows)} {'clip' if len(rows) == 1 else 'clips'}, {some}{frames} frames"


def _said(frames: int | None, width: int, height: int) -> str:
    return f"{frames or 'unstated'} frames of {width}x{height}"


def _out(text: str) -> None:
    sys.stdout.write(text + "\n")
