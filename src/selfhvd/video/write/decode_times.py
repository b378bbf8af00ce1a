"""Times of frames: repair those that run backwards, and find decoding times."""

from collections.abc import Sequence


def decode_times(times: Sequence[int]) -> list[int]:
    """Strictly rising decode times, none later than its frame's presentation time (both in ticks).

    Equal to `times` where those rise strictly; moved earlier by as much as repeated times demand.
    """
    result = list(times)
    for index in range(len(result) - 2, -1, -1):
        result[index] = min(result[index], result[index + 1] - 1)
    return result


def forward(times: Sequence[int], step: int) -> tuple[list[int], int]:
    """Times (ticks) that never fall, and how many had to be changed.

    A time before its predecessor's is a fault of the file, as the decoder gives frames in the order they
    are shown. It is put between its neighbours, or `step` ticks after the last where nothing later is right.
    Repeated times are left alone.
    """
    result, changed, index = list(times), 0, 1
    while index < len(result):
        last = result[index - 1]
        if result[index] >= last:
            index += 1
            continue
        end = next((i for i in range(index, len(result)) if result[i] > last), len(result))
        gap = end - index + 1
        top = result[end] if end < len(result) else last + step * gap
        for place in range(index, end):
            result[place] = last + (top - last) * (place - index + 1) // gap
        changed += end - index
        index = end
    return result, changed
