"""From a video file or a folder of images to a frame cache."""

import re
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from selfhvd.errors import InputError, OutputError
from selfhvd.video.footage import FRAMES, RECORD, Footage
from selfhvd.video.limits import Limits
from selfhvd.video.part import Part
from selfhvd.video.process.child import Child
from selfhvd.video.read.demux import sniff
from selfhvd.video.read.images import list_images


def ingest(
    source: Path,
    folder: Path,
    *,
    on_frame: Callable[[int, int | None], None] | None = None,
    limits: Limits | None = None,
    rate: Fraction | None = None,
    destination: Path | None = None,
    part: Part | None = None,
) -> Footage:
    """Decode `source` (a video file, or a folder of images) into the cache `folder`, in a child process.

    Of a `part` only its frames are decoded, and those from the key frame before it, which are not kept. Their times
    stay those of the whole clip.
    `rate` is that of a folder of images, 30 frames per second if None. `on_frame(done, total)` is called after each
    frame; `total` is None where the file does not say. Whether the video file `destination` can hold what a video
    brings along (times, sound, other tracks) is tried now, where it is given. `folder` is created; frames of an
    earlier, interrupted run in it are replaced. `footage.json` comes last.

    Raises:
        InputError: the source cannot be read, holds no moving picture or none in the part, or broke the decoder.
        OutputError: the cache cannot be written, or `destination` could not hold the result.
    """
    limits = limits or Limits()
    check_source(source)
    _prepare(folder)
    request: dict[str, Any] = {
        "task": "decode",
        "source": str(source),
        "folder": str(folder),
        "limits": vars(limits),
        "destination": str(destination) if destination is not None else None,
    }
    request |= {"rate": str(rate)} if rate is not None else {}
    if part is not None:
        request["part"] = [str(part.start), None if part.end is None else str(part.end)]
    child = Child(request, crash=InputError, subject=source, stall=limits.stall)
    try:
        while (line := child.next()) is not None:
            if on_frame is not None and "frame" in line:
                on_frame(line["frame"], line.get("total"))
    finally:
        child.end()
    return Footage.load(folder)


def check_source(source: Path) -> None:
    """Say at once what can be said without decoding."""
    text = str(source)
    try:
        if re.match(r"[a-z0-9+]+:", text) and not source.exists():
            raise InputError(f"{source} is not a local file; copy the video here first.")
        is_folder = source.is_dir()
    except OSError as error:
        raise InputError(f"{source} cannot be read ({error.strerror}).") from error
    if is_folder:
        list_images(source)
    else:
        sniff(source)


def _prepare(folder: Path) -> None:
    """Make an empty cache; the record of an older one goes first."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORD).unlink(missing_ok=True)
        shutil.rmtree(folder / FRAMES, ignore_errors=True)
        (folder / FRAMES).mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot hold the frame cache ({error.strerror}); choose another folder.") from error
