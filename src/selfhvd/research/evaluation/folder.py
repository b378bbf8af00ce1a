"""The folder that `--out` names."""

import os
from collections.abc import Iterable
from pathlib import Path

from selfhvd.errors import OutputError
from selfhvd.system.atomic import write_aside


def prepare_folder(folder: Path, files: Iterable[str], *, overwrite: bool) -> None:
    """Refuse at once what could not be written after the long measuring; nothing is made yet.

    Raises:
        OutputError: it is no folder and cannot become one, or holds an earlier evaluation.
    """
    try:
        there = [name for name in files if (folder / name).exists()]
        place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    except OSError as error:
        raise OutputError(f"{folder} cannot be used as a folder ({error.strerror}).") from error
    if not place.is_dir():
        raise OutputError(f"{folder} cannot be used as a folder ({place} is a file).")
    if not os.access(place, os.W_OK | os.X_OK):
        raise OutputError(f"{folder} cannot be written ({place} is read-only); choose another --out.")
    if there and not overwrite:
        raise OutputError(f"{folder / there[0]} exists; choose another --out or add --overwrite.")


def write_tables(folder: Path, texts: dict[str, str]) -> None:
    """Write all forms into `folder`, which is made if need be, each whole or not at all; `OutputError` if it fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be used as a folder ({error.strerror}).") from error
    for name, text in texts.items():
        write_aside(folder / name, text.encode())
