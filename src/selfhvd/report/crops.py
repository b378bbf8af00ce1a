"""What the report shows of the pictures: the blurriest frames, before and after."""

import cv2
import numpy as np

from selfhvd.extensions.selection import Selection
from selfhvd.report.page import Comparison
from selfhvd.video import Footage, Frame

_SHOWN = 4
_APART = 5
"""Frames between two that are shown."""
_SIDE = (540, 720)
"""Largest height and width shown, pixels, one to one."""


class BlurriestFrames:
    """Watches the restored frames go by and keeps crops of the few that were blurriest."""

    def __init__(self, footage: Footage, selection: Selection) -> None:
        self._footage, self._selection = footage, selection
        self.wanted = blurriest(selection)
        self._kept: dict[int, Comparison] = {}

    def see(self, index: int, after: Frame) -> None:
        """Look at restored frame `index`."""
        if index in self.wanted:
            before = self._footage.frame(index)
            rows, columns = busiest_window(before, after)
            told = f"frame {index}, sharpness before {self._selection.sharpness[index]:.0f}"
            crops = [_eight_bit(image[rows, columns]) for image in (before, after)]
            self._kept[index] = Comparison(index, crops[0], crops[1], told)

    def comparisons(self) -> list[Comparison]:
        """Blurriest first."""
        return [self._kept[i] for i in self.wanted if i in self._kept]


def blurriest(selection: Selection, most: int = _SHOWN) -> list[int]:
    """The frames with the lowest score that were not selected as sharp, some frames apart."""
    order = sorted(range(len(selection.scores)), key=lambda i: selection.scores[i])
    chosen: list[int] = []
    for i in order:
        if len(chosen) < most and not selection.is_sharp(i) and all(abs(i - j) >= _APART for j in chosen):
            chosen.append(i)
    return chosen


def busiest_window(before: Frame, after: Frame) -> tuple[slice, slice]:
    """The part of the frame in which the restoration changed most."""
    height, width = before.shape[:2]
    rows, columns = min(_SIDE[0], height), min(_SIDE[1], width)
    change = np.abs(before.astype(np.float32) - after.astype(np.float32)).mean(axis=2)
    total = cv2.boxFilter(change, -1, (columns, rows), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    top, left = np.unravel_index(
        int(np.argmax(total[: height - rows + 1, : width - columns + 1])),
        (height - rows + 1, width - columns + 1),
    )
    return slice(int(top), int(top) + rows), slice(int(left), int(left) + columns)


def _eight_bit(image: Frame) -> np.ndarray:
    return image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8)
