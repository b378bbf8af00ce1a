"""What every network states about itself, and the one place where a clip is made to fit it and cut back again."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Needs:
    """What a network asks of its input. `Backbone.forward` sees to all of it; no caller pads or converts."""

    multiple_of: int = 1
    """Height and width must be multiples of this many pixels."""
    least_side: int = 1
    """Pixels that height and width must have at least."""
    least_frames: int = 1
    multiple_of_frames: int = 1
    context: tuple[int, int] = (0, 0)
    """Frames at the start and at the end that it only looks at: its output has so many fewer."""
    window: int = 1
    """Frames it likes to see at once when a clip is restored; 1 = each frame stands alone."""
    guides: int = 0
    """Sharp frames it takes beside each frame, aligned onto it; 0 = none."""
    causal: bool = False
    """Whether a frame's output depends on earlier frames only."""
    colour: Literal["rgb", "bgr"] = "rgb"
    """Order of the channels its weights were trained on."""
    shift: float = 0.0
    """Subtracted from the values in [0, 1] on the way in, added on the way out."""
    bytes_per_pixel: int = 4000
    """Working memory that each pixel of each frame of a window takes while restoring, about; decides the tiles."""
    starts_as_identity: bool = False
    """Whether the untrained network gives its input back."""

    @property
    def single(self) -> bool:
        """Whether frames are restored one by one, each from sharp frames beside it, and so in any order."""
        return self.window == 1 and self.guides > 0


Frames = Float[Tensor, "batch frame 3 height width"]
Guides = Float[Tensor, "batch frame guide 3 height width"]
Trust = Float[Tensor, "batch frame guide 1 height width"]


class Backbone(nn.Module, ABC):
    """D(B; Θ): a clip in, a sharper clip of the same shape out.

    Subclasses set `needs` and `config` and write `deblur`, the network's own arithmetic on input that fits.
    """

    needs: Needs
    config: object
    """A frozen dataclass from which the network can be rebuilt."""

    def forward(self, frames: Frames, guides: Guides | None = None, trust: Trust | None = None) -> Frames:
        """Deblur a clip of any size and length, RGB in [0, 1].

        `guides` are sharp frames aligned onto each frame, `trust` their masks M; one guide stands for all that the
        network takes. A network whose `needs.guides` is 0 ignores both, one that has guides works without them.
        """
        if self.needs.guides == 0:
            guides = trust = None
        count, height, width = frames.shape[1], *frames.shape[-2:]
        output = self.deblur(
            self._converted(self._fitted(frames), -self.needs.shift),
            None if guides is None else self._fitted(guides),
            None if trust is None else self._fitted(trust),
        )
        return self._converted(output[:, :count, :, :height, :width], self.needs.shift)

    def flow_parameters(self) -> list[nn.Parameter]:
        """Those of the optical flow inside the network, which may learn at a rate of their own; none by default."""
        return []

    def forget_ranges(self) -> None:
        """Calculate in full from now on, as while the weights change: what was measured of them holds no more."""

    @abstractmethod
    def deblur(self, frames: Frames, guides: Guides | None, trust: Trust | None) -> Frames:
        """The network's own arithmetic, in its own channel order and range, on sides and lengths that it accepts.

        Its output lacks the frames of `needs.context`.
        """

    @classmethod
    def recognised(cls, shapes: Mapping[str, tuple[int, ...]]) -> object | None:
        """The configuration of the network whose official checkpoint has these keys and shapes; None = not ours."""
        return None

    def _converted(self, clip: Frames, shift: float) -> Frames:
        """Between RGB in [0, 1] and the network's own convention; turning the channels round serves both ways."""
        ordered = clip.flip(2) if self.needs.colour == "bgr" else clip
        return ordered + shift if shift else ordered

    def _fitted(self, clip: Float[Tensor, "batch frame *rest h w"]) -> Float[Tensor, "batch more *rest height width"]:
        """Repeat the last rows and columns, and let time bounce at the ends, until the network accepts the clip."""
        needs, count = self.needs, clip.shape[1]
        before, after = needs.context
        wanted = _up(max(count + before + after, needs.least_frames), needs.multiple_of_frames)
        if wanted != count:
            places = [_bounced(i - before, count) for i in range(wanted)]
            clip = clip[:, places]
        height, width = clip.shape[-2:]
        below = _up(max(height, needs.least_side), needs.multiple_of) - height
        right = _up(max(width, needs.least_side), needs.multiple_of) - width
        if below or right:
            flat = F.pad(clip.flatten(0, -4), (0, right, 0, below), mode="replicate")
            clip = flat.view(*clip.shape[:-2], *flat.shape[-2:])
        return clip


def _up(value: int, multiple: int) -> int:
    return value + -value % multiple


def _bounced(place: int, count: int) -> int:
    """A place beyond the ends, reflected into 0..count-1 without repeating the end frame."""
    period = max(2 * (count - 1), 1)
    place %= period
    return min(place, period - place) if count > 1 else 0
