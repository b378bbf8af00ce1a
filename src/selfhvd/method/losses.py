"""Scalar losses (Eq. 6 and others), pure functions of tensors."""

from jaxtyping import Float
from torch import Tensor


def masked_l1(
    output: Float[Tensor, "*batch 3 height width"],
    target: Float[Tensor, "*batch 3 height width"],
    mask: Float[Tensor, "*batch 1 height width"],
) -> Float[Tensor, "*batch"]:
    """|M ⊙ (R - S)|_1 (Eq. 6), a mean over all pixels and channels, for each image.

    Divided by the image's area, not by the mask's (derived: what a plain L1 of masked images gives), so that a label
    that is hardly visible weighs little.
    """
    return (mask * (output - target)).abs().mean(dim=(-3, -2, -1))


def charbonnier(
    output: Float[Tensor, "*batch 3 height width"],
    target: Float[Tensor, "*batch 3 height width"],
    epsilon: float = 1e-3,
) -> Float[Tensor, "*batch"]:
    """Mean sqrt((R - T)^2 + ε^2): an L1 that is smooth at zero, for training with truth."""
    return ((output - target).square() + epsilon**2).sqrt().mean(dim=(-3, -2, -1))
