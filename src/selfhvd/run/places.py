"""Where a run keeps what it has done: names only, so that whoever just looks on needs no torch."""

import hashlib
import os
import sys
from pathlib import Path

from selfhvd.video.frame_file import SUFFIX

FOOTAGE, RESTORED = "footage", "restored"
"""Folders of a work folder: the frames as they came, and as they were restored."""
_LONGEST = 180
"""Bytes of the destination's name that go into the folder's."""


def work_path(destination: Path) -> Path:
    """The hidden work folder beside `destination`, whether it exists or not."""
    return beside(destination, ".selfhvd")


def beside(destination: Path, ending: str) -> Path:
    """A hidden neighbour of `destination`, short enough for any name that it may have."""
    name = destination.name
    if len(os.fsencode(name)) > _LONGEST:
        short = os.fsencode(name)[:_LONGEST].decode(sys.getfilesystemencoding(), errors="ignore")
        name = f"{short}.{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
    return destination.absolute().with_name(f".{name}{ending}")


def finished_path(folder: Path, index: int) -> Path:
    """Where frame `index` of the clip is kept when it is finished."""
    return folder / f"{index:08d}{SUFFIX}"
