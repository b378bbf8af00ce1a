"""Where the result goes, and whether it can go there: asked before hours of work, not after."""

import os
import re
import tempfile
from pathlib import Path

from selfhvd.errors import OutputError, UsageError
from selfhvd.video.read.content import own_suffix
from selfhvd.video.write.encoder_choice import CONTAINERS

RESULT = "_deblurred"
"""How the names of results end, before the suffix."""
PREVIEW = "_preview"
"""How those of previews do."""
_ANIMATED = (".gif", ".webp", ".apng", ".png", "")
_KIND = re.compile(r"\.[A-Za-z]\w{0,5}(~\d+)?|\.3g[p2]|")
"""What stands for the kind of a file at the end of its name, and not for a date or a number."""


def default_destination(source: Path, ending: str = RESULT) -> Path:
    """`clip.mp4` -> `clip_deblurred.mp4`; a folder of images -> `<folder>_deblurred`; or with another `ending`.

    Where the name does not tell the container its content does: `clip.LRV` -> `clip_deblurred.mp4`. One that cannot be
    written becomes `.mkv`, which carries any sound; animated GIF, PNG and WebP become `.mp4`.
    """
    if _is_dir(source):
        full = source.resolve()
        return full.with_name(f"{full.name}{ending}") if full.name else full / ending.lstrip("_")
    suffix = own_suffix(source) or (".mp4" if source.suffix.lower() in _ANIMATED else ".mkv")
    stem = source.stem if _KIND.fullmatch(source.suffix) else source.name
    return source.with_name(f"{stem}{ending}{suffix}")


def is_folder(destination: Path) -> bool:
    """Whether `destination` stands for a folder of images: it is one, or has no suffix."""
    return _is_dir(destination) or destination.suffix == ""


def _is_dir(path: Path) -> bool:
    """Whether it is a folder; what cannot be looked at is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def check_destination(source: Path, destination: Path, *, overwrite: bool = False) -> None:
    """Raise unless `destination` can be written for `source`.

    Raises:
        UsageError: it is the source itself, or no kind of file that can be written.
        OutputError: it exists, or its folder is missing or cannot be written.
    """
    if _same(source, destination):
        raise UsageError(f"{destination} is the input itself; choose another output.")
    if not is_folder(destination) and destination.suffix.lower() not in CONTAINERS:
        known = " ".join(sorted(CONTAINERS))
        raise UsageError(
            f"{destination.name}: {destination.suffix} cannot be written; use one of {known}, or a folder."
        )
    parent = destination.absolute().parent
    if not _is_dir(parent):
        raise OutputError(f"{parent} does not exist or is no folder; create it first.")
    check_length(destination)
    _check_free(destination, overwrite)
    try:
        with tempfile.TemporaryFile(dir=parent, prefix=".selfhvd-"):
            pass
    except OSError as error:
        raise OutputError(f"{parent} cannot be written ({error.strerror}); choose another folder.") from error


def reports_of(destination: Path) -> tuple[Path, Path]:
    """Where the report and the record of a run go: beside the result."""
    page, record = (destination.with_name(destination.stem + ending) for ending in (".report.html", ".run.json"))
    return page, record


def check_length(*paths: Path) -> None:
    """`OutputError` if the name of a file to be written is longer than its folder allows."""
    for path in paths:
        length, most = len(os.fsencode(path.name)), _longest(path.absolute().parent)
        if length > most:
            raise OutputError(
                f"the name {path.name} is too long to be written: {length} bytes, {most} are allowed;"
                " choose a shorter one with --output."
            )


def _longest(folder: Path) -> int:
    """Bytes that a name may have in a folder."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # Windows has no such question, and the same answer
        return 255


def _check_free(destination: Path, overwrite: bool) -> None:
    """Nothing is overwritten unasked; an empty folder is free."""
    try:
        taken = os.path.lexists(destination) and not (destination.is_dir() and not any(destination.iterdir()))
    except OSError as error:
        raise OutputError(f"{destination} cannot be looked at ({error.strerror}).") from error
    if taken and not overwrite:
        raise OutputError(f"{destination} exists; choose another output or ask to overwrite it.")


def _same(source: Path, destination: Path) -> bool:
    """Whether both name one file or folder, through links of either kind."""
    try:
        return source.samefile(destination)
    except OSError:
        return source.absolute() == destination.absolute()
