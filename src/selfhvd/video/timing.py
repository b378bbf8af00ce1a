"""Decoding times for frames that are coded in the order they are shown."""

from collections.abc import Sequence


def decode_times(times: Sequence[int]) -> list[int]:
    """Strictly rising decode times, none later than its frame's presentation time (both in ticks).

    Equal to `times` where those rise strictly; moved earlier by as much as repeated times demand.
    """
    result = list(times)
    for index in range(len(result) - 2, -1, -1):
        result[index] = min(result[index], result[index + 1] - 1)
    return result
