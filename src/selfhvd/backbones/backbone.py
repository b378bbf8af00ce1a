"""What every network states about itself, so that padding and windows are handled once, outside."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Needs:
    """What a network asks of its input."""

    multiple_of: int
    """Height and width must be multiples of this many pixels."""
    guides: int = 0
    """Sharp frames it takes beside each frame, aligned onto it; 0 = none."""
    window: int = 1
    """Frames it likes to see at once; 1 = each frame stands alone."""


class Backbone(nn.Module, ABC):
    """D(B; Θ): a clip in, a sharper clip of the same shape out; the identity before any training."""

    needs: ClassVar[Needs]

    @abstractmethod
    def forward(
        self,
        frames: Float[Tensor, "batch frame 3 height width"],
        guides: Float[Tensor, "batch frame guide 3 height width"] | None = None,
        trust: Float[Tensor, "batch frame guide 1 height width"] | None = None,
    ) -> Float[Tensor, "batch frame 3 height width"]:
        """Deblur a clip.

        RGB in [0, 1]. `guides` are sharp frames aligned onto each frame, `trust` their masks M; a network whose
        `needs.guides` is 0 ignores both, one that has guides works without them.
        """
