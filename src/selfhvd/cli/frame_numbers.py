"""Frame numbers as a person writes them: 3,17,40-44, or a file of such numbers."""

import re
from pathlib import Path

from selfhvd.errors import UsageError

_MOST = 10_000_000
"""Numbers; a longer list is a slip of the keyboard."""


def frame_numbers(text: str) -> tuple[int, ...]:
    """The numbers in `text`, or in the file of that name, ascending; `UsageError` where there are none."""
    path = Path(text)
    if not _words(text) and not path.is_file():
        raise UsageError(f"--sharp-frames {text} is neither numbers such as 3,17,40-44 nor a file.")
    try:
        parts = _words(text) or _words(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--sharp-frames: {text} cannot be read as text.") from error
    if not parts:
        raise UsageError(f"--sharp-frames: {text} holds something else than numbers such as 3,17,40-44.")
    numbers: set[int] = set()
    for first, last in parts:
        if last < first or last > _MOST:
            raise UsageError(f"--sharp-frames: {first}-{last} is no range of frames.")
        numbers.update(range(first, last + 1))
    return tuple(sorted(numbers))


def _words(text: str) -> list[tuple[int, int]]:
    """First and last number of each part; none at all where a part is something else."""
    parts = [part for part in re.split(r"[\s,;]+", text) if part]
    found = [re.fullmatch(r"(\d+)(?:-(\d+))?", part) for part in parts]
    return [] if None in found else [(int(m[1]), int(m[2] or m[1])) for m in found if m is not None]
