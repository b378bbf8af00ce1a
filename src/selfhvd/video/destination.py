"""Where the result goes, and whether it can go there: asked before hours of work, not after."""

import os
import tempfile
from pathlib import Path

from selfhvd.errors import OutputError, UsageError
from selfhvd.video.plan import CONTAINERS


def default_destination(source: Path) -> Path:
    """`clip.mp4` -> `clip_deblurred.mp4`; a folder of images -> `<folder>_deblurred`.

    A container that cannot be written becomes `.mkv`, which carries any sound; GIF and WebP become `.mp4`.
    """
    if source.is_dir():
        full = source.resolve()
        return full.with_name(f"{full.name}_deblurred") if full.name else full / "deblurred"
    suffix = source.suffix
    if suffix.lower() not in CONTAINERS:
        suffix = ".mp4" if suffix.lower() in (".gif", ".webp", ".apng", "") else ".mkv"
    return source.with_name(f"{source.stem}_deblurred{suffix}")


def is_folder(destination: Path) -> bool:
    """Whether `destination` stands for a folder of images: it is one, or has no suffix."""
    return destination.is_dir() or destination.suffix == ""


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
    if not parent.is_dir():
        raise OutputError(f"{parent} does not exist or is no folder; create it first.")
    _check_free(destination, overwrite)
    try:
        with tempfile.TemporaryFile(dir=parent, prefix=".selfhvd-"):
            pass
    except OSError as error:
        raise OutputError(f"{parent} cannot be written ({error.strerror}); choose another folder.") from error


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


def part_path(destination: Path) -> Path:
    """The hidden neighbour that a result grows in; short enough for any name the destination may have."""
    name = destination.name.encode(errors="surrogateescape")[:180].decode(errors="ignore")
    return destination.absolute().with_name(f".{name}.{os.getpid()}.part")
