"""Shard: the I-th of N parts of a list, the same on every machine that is given the same list."""

from collections.abc import Sequence

from selfhvd.errors import UsageError
from selfhvd.run.batch import Clip


def parse_shard(text: str) -> tuple[int, int]:
    """I and N of "I/N", which counts from 0 as job arrays do.

    Raises:
        UsageError: it is none.
    """
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise UsageError(f"--shard {text} must be I/N with I from 0 to N - 1, as 0/8.")
    return int(number), int(count)


def shard_of(clips: Sequence[Clip], number: int, count: int) -> list[Clip]:
    """Every `count`-th clip from `number` on, by the order of their results' names."""
    return sorted(clips, key=lambda clip: str(clip.destination))[number::count]
