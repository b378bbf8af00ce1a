"""Where an aligned sharp frame may be trusted: in-frame, occlusion (Eq. 5) and uncertainty (Eq. 4) masks."""

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.ops.grid import pixel_grid
from selfhvd.ops.warp import warp

Mask = Float[Tensor, "batch 1 height width"]
Field = Float[Tensor, "batch xy=2 height width"]


def in_frame(flow: Field) -> Mask:
    """1 where p + Φ(p) lies inside the image, 0 where the flow leaves it."""
    height, width = flow.shape[-2:]
    x, y = (pixel_grid(height, width, like=flow) + flow).unbind(1)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return inside[:, None].to(flow.dtype)


def occlusion(forward: Field, backward: Field, strength: float) -> Mask:
    """M_occ = 1 - min(s * |round trip - x|, 1), Eq. 5.

    `forward` Φ_{i→j} lives on the grid of i, `backward` Φ_{j→i} on that of j; the mask lives on the grid of i.
    A pixel that does not come back to itself within 1/`strength` pixels is hidden in the other image.
    `strength` s is per full-resolution pixel: 0.2 is the 0.8 at quarter resolution of the authors' later code.
    """
    # Both flows start at x, so the trip's error is the forward flow plus the backward flow found at its end.
    error = torch.hypot(*(forward + warp(backward, forward)).split(1, dim=1))
    return 1 - (strength * error).clamp(max=1)


def uncertainty(certainty: Mask, other_certainty: Mask, forward: Field) -> Mask:
    """M_uncer = U_{i→j} ⊙ W(U_{j→i}, Φ_{i→j}), Eq. 4: both directions of the flow must be sure."""
    return certainty * warp(other_certainty, forward)
