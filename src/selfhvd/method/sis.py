"""SIS, supervision information selection (Eq. 8): which teaches better, the aligned sharp frame or the own output."""

from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.method.sharp_frames import laplacian_variance


def prefers_sharp_frame(
    label: Float[Tensor, "batch 3 height width"],
    mask: Float[Tensor, "batch 1 height width"],
    visible: Float[Tensor, " batch"],
    own: Float[Tensor, "batch 3 height width"],
    least_visible: float,
    oversharp: float,
) -> Bool[Tensor, " batch"]:
    """SIS, Supervision Information Selection: condition C of Eq. 8, p > τ and v_l(S_{j→i}) > v_l(R_k).

    Both candidates are multiplied by the label's mask first, else the holes of the one would count as its edges.
    One clause is ours: an output far sharper than the sharp frame is made of artefacts, and learning from it makes the
    next one sharper still, without end; it is never preferred.

    Args:
        label: S_{j→i}, the aligned sharp frame.
        mask: M, where it may be trusted.
        visible: p, the share of the frame that the occlusion mask leaves.
        own: R_k, the model's output on the full input.
        least_visible: τ (0.5 in the author's later code; the paper's value is not published).
        oversharp: times the sharp frame's v_l from which on an output is held for artefacts.
    """
    of_label, of_own = laplacian_variance(mask * label), laplacian_variance(mask * own)
    return ((visible > least_visible) & (of_label > of_own)) | (of_own > oversharp * of_label)
