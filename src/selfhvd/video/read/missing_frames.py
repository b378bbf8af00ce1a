"""Which frames a container promises, and which of them never came out of the decoder."""

import heapq
from typing import Any


class Promised:
    """Times of packets against times of frames, told apart only once the decoder has met damage.

    Sound files have packets without a frame of their own (invisible reference frames); they are no loss.
    """

    def __init__(self) -> None:
        self.damage = 0  # packets that the decoder refused
        self._waiting: list[int] = []  # a heap of times, ticks
        self._last: int | None = None

    def expect(self, packet: Any) -> None:  # noqa: ANN401 - PyAV packet
        """Note a packet that is to become a frame."""
        if packet.size and packet.pts is not None and not packet.is_discard:
            heapq.heappush(self._waiting, packet.pts)

    def missed(self, before: int | None) -> list[int]:
        """Promised times before that of the frame now here (all, where None) that no frame came for."""
        lost: list[int] = []
        while self._waiting and (before is None or self._waiting[0] <= before):
            time = heapq.heappop(self._waiting)
            if self.damage and time != before and (self._last is None or time > self._last):
                lost.append(time)
                self._last = time
        self._last = self._last if before is None else before
        return lost
