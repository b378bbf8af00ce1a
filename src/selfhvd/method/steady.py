"""Steady (ours): a restored frame takes part of its pixels from the restored frames beside it, against flicker."""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.method.align import Aligned
from selfhvd.ops.flatness import detail, flatness, mean_around

_TOLERANCE = 0.1
"""Difference between frame and neighbour (colour in [0, 1], mean of 5x5 pixels) from which little is taken."""
_MOST_DETAIL = 4.0
"""A neighbour with more, or less, detail counts up to so many times as much, or as little."""
_MOST_LOST = 1.2
"""So many times at most detail is enlarged."""
_NOISE = 2.0
"""So many times what does not come again in the neighbours is taken for noise: the restored frames share guides, and
with them some of the noise, which does come again."""


def steadied(
    frame: Float[Tensor, "3 height width"],
    neighbours: Iterable[Aligned],
    share: float,
    noise: float = 0.0,
    sharp: bool = False,
) -> Float[Tensor, "3 height width"]:
    """(R_i + Σ_n k_n R_{n→i}) / (1 + Σ_n k_n) with k_n = share / (1 - 2 share) · M_n · exp(-(d_n / 0.1)²) · e_n / e_i.

    What a mean of frames loses in detail, because none lies exactly on the other, is given back: what it has beyond the
    mean of 5x5 pixels is enlarged until e is e_i again.

    In a noisy clip it is otherwise for as much as the place is flat, as a bare wall. There a flow has nothing to hold
    on to, and its mask says so, but whatever part of the wall it brings serves against the noise: M_n does not count.
    What a mean loses there is noise: it is not given back. What is left of it a mean of 3x3 pixels takes, for as much
    as what such a mean takes does not come again in the neighbours. A sharp frame, which a mean only costs detail,
    takes part there alone. Between no noise and much the two are mixed (docs/ablations.md#steady.walls).

    Args:
        frame: R_i, a restored frame, RGB in [0, 1].
        neighbours: R_{n→i}, the frames before and after it, restored too, aligned onto it, with their masks M_n.
        share: in [0, 0.5): what each of two neighbours gives where it is trusted, differs by nothing (d_n, the mean
            difference around a pixel) and has as much detail (e, the mean squared Laplacian around it).
        noise: how noisy the clip is, 0..1.
        sharp: whether R_i is a sharp frame.
    """
    there = list(neighbours)
    if noise == 1:
        return _mean(frame, there, share, noisy=True, sharp=sharp)
    calm = frame if sharp and noise else _mean(frame, there, share, noisy=False, sharp=sharp)
    return calm if noise == 0 else calm.lerp(_mean(frame, there, share, noisy=True, sharp=sharp), noise)


def _mean(
    frame: Float[Tensor, "3 height width"], there: Sequence[Aligned], share: float, *, noisy: bool, sharp: bool
) -> Float[Tensor, "3 height width"]:
    """Of a noisy clip or of another, see `steadied`."""
    own = detail(frame)
    total, weights = frame, torch.ones_like(frame[:1])
    for other in there:
        image = other.image[0]
        difference = mean_around((image - frame).abs().mean(dim=0, keepdim=True), 5)
        theirs = detail(image)
        trust = other.mask[0]
        if noisy:
            flat = other.inside[0] * flatness(torch.maximum(own, theirs))
            trust = flat if sharp else torch.maximum(trust, flat)
        ratio = (theirs / own).clamp(1 / _MOST_DETAIL, _MOST_DETAIL)
        weight = share / (1 - 2 * share) * trust * torch.exp(-((difference / _TOLERANCE) ** 2)) * ratio
        total, weights = total + weight * image, weights + weight
    blend = total / weights
    left = detail(blend)
    lost = (own / left).sqrt().clamp(1, _MOST_LOST) - 1
    if noisy:
        lost = lost * (1 - flatness(own))
    blend = blend + lost * (blend - mean_around(blend, 5))
    if noisy and there:
        blend = blend.lerp(mean_around(blend, 3), flatness(left) * _noise(blend, [other.image[0] for other in there]))
    return blend.clamp(0, 1)


def _noise(
    image: Float[Tensor, "3 height width"], others: list[Float[Tensor, "3 height width"]]
) -> Float[Tensor, "1 height width"]:
    """The part, 0..1, of what is finer than 3x3 pixels that is noise, because no other image has it."""
    fine = image - mean_around(image, 3)
    energy = mean_around(fine.square().mean(dim=0, keepdim=True), 9)
    apart = [
        mean_around((fine - other + mean_around(other, 3)).square().mean(dim=0, keepdim=True), 9) for other in others
    ]
    # Two independent noises make twice the difference.
    return (_NOISE / 2 * torch.stack(apart).amin(dim=0) / (energy + 1e-9)).clamp(max=1)
