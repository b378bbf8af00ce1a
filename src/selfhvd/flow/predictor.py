"""What every optical flow gives: a field, and how sure it is of each pixel."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Flow:
    """Flow on the grid of a first image, pointing into a second."""

    field: Float[Tensor, "batch xy=2 height width"]
    """Pixels (x, y)."""
    certainty: Float[Tensor, "batch 1 height width"]
    """U of Eq. 4, in [0, 1], 1 = sure."""


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

    def several(
        self, first: Float[Tensor, "1 3 height width"], seconds: Sequence[Float[Tensor, "1 3 height width"]]
    ) -> Iterable[tuple[Flow, Flow]]:
        """`both` for each of `seconds`, one by one; overridden where they can share work, or run side by side."""
        return (self.both(first, second) for second in seconds)
