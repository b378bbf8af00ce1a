"""A clip's frames at the size at which flow is found."""

from jaxtyping import Float
from torch import Tensor

from selfhvd.method.align import AlignConfig, reduced
from selfhvd.video.frame_source import Frames


class Reduced:
    """Frames of another source, see `selfhvd.method.align.reduced`."""

    def __init__(self, frames: Frames, align: AlignConfig) -> None:
        self._frames, self._align = frames, align

    def __len__(self) -> int:
        return len(self._frames)

    def tensor(self, index: int) -> Float[Tensor, "3 h w"]:
        """See `Frames.tensor`."""
        return reduced(self._frames.tensor(index)[None], self._align)[0]
