"""The display matrix: from the picture as stored to the picture as seen."""

import struct
from dataclasses import dataclass

import av
import numpy as np
from av.sidedata.sidedata import Type

from selfhvd.video.frame import Frame
from selfhvd.video.read.side_data import side_data


@dataclass(frozen=True)
class Orientation:
    """Transpose first, then mirror: together the eight right-angled orientations."""

    transpose: bool = False
    mirror_x: bool = False  # left and right change places
    mirror_y: bool = False  # top and bottom change places

    def apply(self, image: Frame) -> Frame:
        """The stored `height width 3` picture as it is seen."""
        image = image.transpose(1, 0, 2) if self.transpose else image
        image = image[:, ::-1] if self.mirror_x else image
        image = image[::-1] if self.mirror_y else image
        return np.ascontiguousarray(image)


def orientation_of(frame: av.VideoFrame) -> Orientation | None:
    """How the player turns `frame`; None for a matrix that is no multiple of 90 degrees.

    The matrix maps stored to seen coordinates: `x' = a x + c y`, `y' = b x + d y`, y pointing down.
    """
    data = side_data(frame, Type.DISPLAYMATRIX)
    if data is None:
        return Orientation()
    a, b, _, c, d, *_ = struct.unpack("<9i", data[:36])
    if b == 0 and c == 0 and a != 0 and d != 0:
        return Orientation(mirror_x=a < 0, mirror_y=d < 0)
    if a == 0 and d == 0 and b != 0 and c != 0:
        return Orientation(transpose=True, mirror_x=c < 0, mirror_y=b < 0)
    return None
