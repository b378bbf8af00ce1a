"""How the camera and the scene moved between the sharp frames of a clip: each pair is looked at once, for both."""

from collections import OrderedDict

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.extensions.selection import Selection
from selfhvd.flow.camera.predictor import GlobalMotionFlow
from selfhvd.flow.predictor import Flow, Homography, Motion
from selfhvd.method.align import AlignConfig
from selfhvd.restore.reduced import Reduced
from selfhvd.restore.shelf import Shelf
from selfhvd.video.frame_source import Frames, RecentFrames

_KEPT = 16
"""Motions in memory: those that the next sharp frames ask for again."""


class SharpPairs:
    """Motions between sharp frames as they came, at the size at which flow is found.

    Between two that follow each other the camera is looked for; to the others it is led from one to the next, and taken
    where the images agree. Which of a pair comes first does not hang on who asks, so the answer does not either.
    """

    def __init__(
        self,
        frames: Frames,
        selection: Selection,
        predictor: GlobalMotionFlow,
        align: AlignConfig,
        device: torch.device,
        shelf: Shelf | None,
    ) -> None:
        self._frames, self._selection, self._predictor = frames, selection, predictor
        self._device, self._shelf = device, shelf
        self.small = RecentFrames(Reduced(frames, align), _KEPT)
        """The frames at the size at which flow is found."""
        self._place = {number: place for place, number in enumerate(selection.sharp)}
        self._recent: OrderedDict[tuple[int, int], Motion] = OrderedDict()
        self._hops: dict[tuple[int, int], Homography | None] = {}

    def motion(self, start: int, end: int) -> Motion:
        """From sharp frame `start` to sharp frame `end`."""
        pair = self._ordered(start, end)
        if pair not in self._recent:
            self._recent[pair] = self._kept(pair) or self._found(pair)
            while len(self._recent) > _KEPT:
                self._recent.popitem(last=False)
        self._recent.move_to_end(pair)
        motion = self._recent[pair]
        return motion if pair[0] == start else motion.reversed()

    def camera(self, start: int, end: int) -> Homography | None:
        """The camera's motion from sharp frame `start` to `end`, from one sharp frame to the next; None = not known."""
        first, last = self._place[start], self._place[end]
        way, total = (1 if last > first else -1), np.eye(3)
        for place in range(first, last, way):
            hop = self._hop(self._selection.sharp[place], self._selection.sharp[place + way])
            if hop is None:
                return None
            total = hop @ total
        return total

    def _ordered(self, start: int, end: int) -> tuple[int, int]:
        """The blurrier one first: the path of its exposure is part of the motion."""
        scores = self._selection.scores
        return (start, end) if (scores[start], start) <= (scores[end], end) else (end, start)

    def _hop(self, start: int, end: int) -> Homography | None:
        """Between sharp frames that follow each other."""
        pair = self._ordered(start, end)
        if pair not in self._hops:
            kept = None if self._shelf is None else self._shelf.get("hop", *pair)
            if kept is None:
                camera = self._predictor.camera(self._image(pair[0]), self._image(pair[1]))
                self._keep_hop(pair, None if camera is None else camera.middle)
            else:
                self._hops[pair] = _homography(kept[0])
        hop = self._hops[pair]
        return hop if hop is None or pair[0] == start else np.linalg.inv(hop)

    def _keep_hop(self, pair: tuple[int, int], hop: Homography | None) -> None:
        self._hops[pair] = hop
        if self._shelf is not None:
            self._shelf.put([_array(hop)], "hop", *pair)

    def _found(self, pair: tuple[int, int]) -> Motion:
        neighbours = abs(self._place[pair[0]] - self._place[pair[1]]) == 1
        camera = None if neighbours else self.camera(*pair)
        motion = self._predictor.between(self._image(pair[0]), self._image(pair[1]), camera)
        if neighbours and pair not in self._hops:
            self._keep_hop(pair, motion.camera)
        if self._shelf is not None:
            ways = [part.cpu().numpy() for flow in (motion.there, motion.back) for part in (flow.field, flow.certainty)]
            self._shelf.put([*ways, _array(motion.camera)], "pair", *pair)
        return motion

    def _kept(self, pair: tuple[int, int]) -> Motion | None:
        kept = None if self._shelf is None else self._shelf.get("pair", *pair)
        if kept is None:
            return None
        there, sure, back, sure_back = (torch.from_numpy(array).to(self._device) for array in kept[:4])
        return Motion(Flow(there, sure), Flow(back, sure_back), _homography(kept[4]))

    def _image(self, number: int) -> Float[Tensor, "1 3 h w"]:
        return self.small.tensor(number)[None].to(self._device)


def _array(hop: Homography | None) -> np.ndarray:
    return np.full((3, 3), np.nan) if hop is None else hop


def _homography(kept: np.ndarray) -> Homography | None:
    return kept if np.isfinite(kept).all() else None
