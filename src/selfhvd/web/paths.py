"""Paths of this machine that the page may name: those under the folders that were allowed, and no others."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selfhvd.errors import UsageError
from selfhvd.run.batch import VIDEOS
from selfhvd.web.refused import Refused

_MOST = 500
"""Clips that are listed."""
_DEEPEST = 4
"""Folders below an allowed one that are looked into."""


@dataclass(frozen=True)
class Allowed:
    """The folders whose clips may be named, with no links left in their paths."""

    folders: tuple[Path, ...] = ()
    closed: Path | None = None
    """A folder that stays closed even where it lies in one of these: that of the jobs, which are not everybody's."""

    def clip(self, text: str) -> Path:
        """The clip at a path; `Refused` where it is outside, also by links, or not there.

        What lies outside is refused alike whether it exists or not.
        """
        path = Path(text)
        try:
            real = path.resolve(strict=True) if path.is_absolute() and "\0" not in text else None
        except (OSError, RuntimeError):
            real = None
        if real is None or self._is_closed(real) or not any(real.is_relative_to(folder) for folder in self.folders):
            raise Refused(403, "There is no such clip in the folders that may be used here (--allow FOLDER).")
        return real

    def listed(self) -> list[str]:
        """Paths of clips that may be named, to choose from."""
        found = {path for folder in self.folders for path in _videos(folder, _DEEPEST)}
        return sorted(str(path) for path in found if not self._is_closed(path))[:_MOST]

    def _is_closed(self, path: Path) -> bool:
        return self.closed is not None and path.is_relative_to(self.closed)


def allowed(folders: tuple[Path, ...], closed: Path) -> Allowed:
    """`UsageError` where one is no folder."""
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"--allow {folder} is no folder; create it or name another.")
    return Allowed(tuple(folder.resolve() for folder in folders), closed.resolve())


def _videos(folder: Path, depth: int) -> Iterator[Path]:
    """Videos by their suffix; links are not followed."""
    try:
        inside = [path for path in folder.iterdir() if path.name[0] != "." and not path.is_symlink()]
    except OSError:
        return
    for path in inside:
        if path.is_dir():
            yield from _videos(path, depth - 1) if depth else ()
        elif path.suffix.lower() in VIDEOS:
            yield path
