"""SEVD, self-enhanced video deblurring: take sharp clues out of the input (RSCR), choose what to learn from (SIS)."""

from collections.abc import Sequence, Set

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.method.sharp_frames import laplacian_variance


def remove_sharp_clues(sharp: Sequence[int], segment: int, rng: np.random.Generator) -> frozenset[int]:
    """RSCR, Random Sharp Clue Removal: which sharp frames are taken out of the input.

    In each segment of `segment` frames, n of its N sharp frames go, n uniform in 1..N (derived: the count is not
    published). `sharp` holds frame numbers.
    """
    removed: set[int] = set()
    for number in sorted({j // segment for j in sharp}):
        clues = [j for j in sharp if j // segment == number]
        count = int(rng.integers(1, len(clues) + 1))
        removed.update(int(j) for j in rng.choice(clues, size=count, replace=False))
    return frozenset(removed)


def stand_ins(indices: Sequence[int], sharp: Sequence[bool], removed: Set[int]) -> tuple[int, ...]:
    """k: the frame of B that stands at each position of B̃, as a position.

    A removed frame gives way to the blurry frame closest in time (ties: the earlier), where there is one.

    Args:
        indices: frame numbers at the positions, ascending.
        sharp: whether each of them is sharp.
        removed: frame numbers taken out by RSCR.
    """
    blurry = [p for p, is_sharp in enumerate(sharp) if not is_sharp]
    return tuple(
        min(blurry, key=lambda q, i=i: (abs(indices[q] - i), q)) if i in removed and blurry else p
        for p, i in enumerate(indices)
    )


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
