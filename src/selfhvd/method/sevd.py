"""SEVD, self-enhanced video deblurring (Eq. 7, 12): what D makes of B̃ learns from the better of two teachers."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.method.batch import Batch
from selfhvd.method.sis import prefers_sharp_frame

Likeness = Callable[[Tensor, Tensor, Tensor], Float[Tensor, "batch frame"]]
"""How far an output is from a target where a mask trusts it."""


def sevd_loss(
    output: Float[Tensor, "batch frame 3 height width"],
    own: Float[Tensor, "batch frame 3 height width"],
    batch: Batch,
    likeness: Likeness,
    least_visible: float,
    oversharp: float,
) -> Float[Tensor, "batch frame"]:
    """R̃ = D(B̃), `output`, against S_{j→k} where condition C of SIS holds, else against R_k, `own` (Eq. 7).

    With the perceptual part in `likeness` this is Eq. 12, too. `least_visible` is τ; `oversharp` see `sis`.
    """
    preferred = prefers_sharp_frame(
        batch.target.flatten(0, 1), batch.mask.flatten(0, 1), batch.visible.flatten(), own.flatten(0, 1),
        least_visible, oversharp,
    )  # fmt: skip
    loss = likeness(output, batch.target, batch.mask)
    own_loss = likeness(output, own, torch.ones_like(batch.mask))
    return torch.where(preferred.view_as(loss), loss, own_loss)
