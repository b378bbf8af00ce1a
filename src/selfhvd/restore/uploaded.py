"""A clip's frames on the device on which they are worked on."""

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.video.frame_source import Frames


class Uploaded:
    """Frames of another source, each brought to `device` when it is read."""

    def __init__(self, frames: Frames, device: torch.device) -> None:
        self._frames, self._device = frames, device

    def __len__(self) -> int:
        return len(self._frames)

    def tensor(self, index: int) -> Float[Tensor, "3 height width"]:
        """See `Frames.tensor`."""
        return self._frames.tensor(index).to(self._device)
