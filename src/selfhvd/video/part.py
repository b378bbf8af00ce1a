"""Part: a stretch of a clip, by the clip's own time, in which its first frame is shown at 0."""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from selfhvd.errors import UsageError

Time = str | int | float | Fraction
"""Seconds, or text: `12.5`, `1:02.5`, `0:01:02.5`."""

_CLOCK = re.compile(r"(?:(\d+):)?([0-5]?\d):([0-5]?\d(?:\.\d+)?)")
_SECONDS = re.compile(r"\d+(?:\.\d+)?|\.\d+|\d+/\d+")


@dataclass(frozen=True)
class Part:
    """The frames with `start` <= time < `end`."""

    start: Fraction = Fraction(0)
    """Seconds; 0: from the first frame."""
    end: Fraction | None = None
    """Seconds; None: to the last frame."""

    def __str__(self) -> str:
        """In seconds, for records and for names: `10-20.5`, `10-end`."""
        return f"{_short(self.start)}-{'end' if self.end is None else _short(self.end)}"

    def covers(self, time: Fraction) -> bool:
        """Whether a frame shown at `time`, in seconds from the first, is of the part."""
        return self.start <= time and (self.end is None or time < self.end)

    @property
    def name(self) -> str:
        """As it stands in the name of a file or folder, where a dot would begin a suffix: `10-20_5`."""
        return str(self).replace(".", "_")

    @property
    def words(self) -> str:
        """For people: `from 0:00:10 to 0:00:20.5`."""
        return f"from {clock(self.start)} to {'the end' if self.end is None else clock(self.end)}"


def part_of(start: Time | None, end: Time | None) -> Part | None:
    """The part that a person asks for; None for the whole clip.

    Raises:
        UsageError: a time cannot be read, or the part would be empty.
    """
    first = Fraction(0) if start is None else _read(start)
    last = None if end is None else _read(end)
    if last is not None and first >= last:
        raise UsageError(f"A part that starts at {clock(first)} must end later than at {clock(last)}.")
    return None if first == 0 and last is None else Part(first, last)


def nothing_in(source: Path, part: Part | None) -> str:
    """The sentence for a clip, or a part of it, without a frame."""
    if part is None:
        return f"{source} holds no moving picture: no frame can be decoded; copy it again."
    return f"{source} holds no frame {part.words}; choose another part."


def clock(seconds: Fraction) -> str:
    """`0:01:02.5`; no finer than a thousandth."""
    thousandths = round(1000 * seconds)
    minutes, rest = divmod(thousandths, 60_000)
    fine = f".{rest % 1000:03d}".rstrip("0").rstrip(".")
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 1000:02d}{fine}"


def _read(time: Time) -> Fraction:
    text = str(time).strip()
    if found := _CLOCK.fullmatch(text):
        hours, minutes, seconds = found.groups()
        return 3600 * int(hours or 0) + 60 * int(minutes) + Fraction(seconds)
    try:
        if _SECONDS.fullmatch(text) or (not isinstance(time, str) and time >= 0):
            return Fraction(text)
    except (ValueError, ZeroDivisionError):
        pass
    raise UsageError(f"{text} is no time in a clip; write seconds, as 12.5, or H:MM:SS, as 0:00:12.5.")


def _short(seconds: Fraction) -> str:
    return str(seconds.numerator) if seconds.denominator == 1 else repr(float(seconds))
