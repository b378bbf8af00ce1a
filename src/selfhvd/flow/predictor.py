"""What every optical flow gives: a field, and how sure it is of each pixel."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

Homography = Float[np.ndarray, "3 3"]
"""From pixels of one image to pixels of another."""


@dataclass(frozen=True)
class Flow:
    """Flow on the grid of a first image, pointing into a second."""

    field: Float[Tensor, "batch xy=2 height width"]
    """Pixels (x, y)."""
    certainty: Float[Tensor, "batch 1 height width"]
    """U of Eq. 4, in [0, 1], 1 = sure."""


@dataclass(frozen=True)
class Motion:
    """What lies between two images."""

    there: Flow
    """From the first into the second."""
    back: Flow
    """From the second into the first."""
    camera: Homography | None = None
    """How the camera alone moved, from pixels of the first to those of the second; None where that is not looked for,
    or not found."""

    def reversed(self) -> "Motion":
        """The same, the second image taken for the first."""
        return Motion(self.back, self.there, None if self.camera is None else np.linalg.inv(self.camera))


@dataclass(frozen=True)
class Hop:
    """How the camera moved from one of several images to another."""

    start: int
    """Place of the one among them; it comes before the other."""
    camera: Homography
    """From pixels of the one to those of the other."""


class FlowPredictor(ABC):
    """Two images in, the flow from the first into the second out, with U (Eq. 4) beside it."""

    name: str

    @abstractmethod
    def __call__(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
    ) -> Flow:
        """RGB in [0, 1], whole frames of any size from 1x1 up; no gradient flows through."""

    def both(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
    ) -> tuple[Flow, Flow]:
        """First into second and second into first; overridden where the two can share work."""
        return self(first, second), self(second, first)

    def field(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
    ) -> Float[Tensor, "batch xy=2 height width"]:
        """The field alone; overridden where U takes time."""
        return self(first, second).field

    def rest(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
        shown: Bool[Tensor, "batch 1 height width"],
        least: float,
    ) -> tuple[Flow, Flow]:
        """`both` of images that differ by what moves on its own alone; overridden where that can be found faster.

        Args:
            first: as in `both`.
            second: brought over to where the camera of `first` stood.
            shown: where it shows anything.
            least: pixels; a shorter motion is of no interest.
        """
        return self.both(first, second)

    def motions(
        self,
        first: Float[Tensor, "1 3 height width"],
        seconds: Sequence[Float[Tensor, "1 3 height width"]],
        hops: Sequence[Hop | None] = (),
    ) -> list[Motion]:
        """The motion between `first` and each of `seconds`; overridden where these can share work, or run side by side.

        Args:
            first: a whole frame, RGB in [0, 1].
            seconds: others.
            hops: to each of `seconds` from another of them, where that is known; () = nowhere.
        """
        return [Motion(*self.both(first, second)) for second in seconds]
