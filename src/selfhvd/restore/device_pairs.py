"""How the camera and the scene moved between the sharp frames of a clip, found on a device, those asked for at once."""

from collections import OrderedDict
from collections.abc import Sequence

import torch

from selfhvd.extensions.selection import Selection
from selfhvd.flow.device.predictor import DeviceMotionFlow
from selfhvd.flow.predictor import Flow, Motion
from selfhvd.method.align import AlignConfig
from selfhvd.restore.reduced import Reduced
from selfhvd.video.frame_source import Frames, RecentFrames

_KEPT = 16
"""Motions in memory: those that the next sharp frames ask for again."""


class DevicePairs:
    """Motions between sharp frames as they came, at the size at which flow is found: `SharpPairs` on a device."""

    def __init__(self, frames: Frames, selection: Selection, predictor: DeviceMotionFlow, align: AlignConfig) -> None:
        self._scores, self._predictor = selection.scores, predictor
        self._small = RecentFrames(Reduced(frames, align), _KEPT)
        self._recent: OrderedDict[tuple[int, int], Motion] = OrderedDict()

    def motions(self, start: int, ends: Sequence[int]) -> list[Motion]:
        """From sharp frame `start` to each of the sharp frames `ends`."""
        pairs = [self._ordered(start, end) for end in ends]
        unknown = [pair for pair in pairs if pair not in self._recent]
        if unknown:
            first, second = (torch.stack([self._small.tensor(pair[n]) for pair in unknown]) for n in (0, 1))
            there, back = (_each(flow) for flow in self._predictor.both(first, second))
            self._recent |= {pair: Motion(go, come) for pair, go, come in zip(unknown, there, back, strict=True)}
        for pair in pairs:
            self._recent.move_to_end(pair)
        found = [self._recent[pair] for pair in pairs]
        while len(self._recent) > _KEPT:
            self._recent.popitem(last=False)
        return [motion if pair[0] == start else motion.reversed() for pair, motion in zip(pairs, found, strict=True)]

    def _ordered(self, start: int, end: int) -> tuple[int, int]:
        """The blurrier one first: the path of its exposure is part of the motion."""
        return (start, end) if (self._scores[start], start) <= (self._scores[end], end) else (end, start)


def _each(flow: Flow) -> list[Flow]:
    return [Flow(*parts) for parts in zip(flow.field.split(1), flow.certainty.split(1), strict=True)]
