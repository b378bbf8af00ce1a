"""The symbols of one training step as a record: B, B̃, k, S_{j→k}, M, p."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """One step's crops. B is the input, B̃ the input with sharp clues removed (in stage 1 they are the same)."""

    frames: Float[Tensor, "batch frame 3 height width"]
    """B."""
    all_guides: Float[Tensor, "batch frame guide 3 height width"]
    """The sharp frames around each frame of B, aligned onto it."""
    all_trust: Float[Tensor, "batch frame guide 1 height width"]
    standing: Int[Tensor, "batch frame"]
    """k: which position of B stands at each position of B̃."""
    guides: Float[Tensor, "batch frame guide 3 height width"]
    """What B̃ leaves of the guides, for the frame that stands there; never the label."""
    trust: Float[Tensor, "batch frame guide 1 height width"]
    target: Float[Tensor, "batch frame 3 height width"]
    """The truth, or S_{j→k}."""
    mask: Float[Tensor, "batch frame 1 height width"]
    """M of the target."""
    visible: Float[Tensor, "batch frame"]
    """p of the target (Eq. 8)."""
    weight: Float[Tensor, "batch frame"]
    """How much each frame's likeness to its target counts."""

    @property
    def shown(self) -> Float[Tensor, "batch frame 3 height width"]:
        """B̃."""
        return take(self.frames, self.standing)

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def take(
    clip: Float[Tensor, "batch frame 3 height width"], standing: Int[Tensor, "batch frame"]
) -> Float[Tensor, "batch frame 3 height width"]:
    """Put frame k of `clip` at each position."""
    return clip[torch.arange(clip.shape[0], device=clip.device)[:, None], standing]
