"""Fuse (ours): several sharp frames, aligned onto one place, become the one guide that a network is shown."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.method.align import Aligned, Guides
from selfhvd.ops.area import area_reduced
from selfhvd.ops.flatness import detail_reduced, flatness, mean_around
from selfhvd.ops.resize import resized

_TOLERANCE = 0.04
"""Difference from the best sharp frame (colour in [0, 1], mean of 3x3 pixels) from which little of another is taken,
else edges are double where alignments disagree (docs/ablations.md#fuse._TOLERANCE)."""
_NEARBY = 24
"""A bare wall takes the frame's mean colour within one such part of the longer side each way."""
_REDUCED = 8
"""The picture on which that colour is measured is so many times smaller: faster, and the same."""
_SMALL = 4
"""Which sharp frame is the best is seen on pictures so many times smaller."""
_UNTRUSTED = 1e-4
"""Weight of a sharp frame where no mask allows any."""
_ABSENT = 1e-8
"""Weight of the frame itself, for where there is no sharp frame at all."""


@dataclass(frozen=True)
class _Shown:
    """A sharp frame as it is fused, and at half the size, where its colour is settled and the best one is seen."""

    image: Float[Tensor, "3 height width"]
    mask: Float[Tensor, "1 height width"]
    half: Float[Tensor, "3 h w"]
    half_mask: Float[Tensor, "1 h w"]


def fused(output: Float[Tensor, "3 height width"], sharp: Iterable[Aligned], first: int | None = None) -> Guides:
    """G = Σ_j w_j S_{j→i} / Σ_j w_j, trusted where any of them is: max_j M_j; one guide.

    A mean has less noise, and fewer traces of coding and of misalignment, than the sharp frames that it is made of. It
    would have double edges where these disagree: there the best one, b, the one that agrees most with the others, rules
    as far as it is trusted: w_j = M_j² · (1 - a + a · exp(-(d_j / 0.04)²)), a = M_b / max(M_b, M_j), d_j the difference
    of S_{j→i} from S_{b→i} around a pixel. (By trust alone a sharp frame that was brought to a wrong place may rule.)

    On a bare wall a flow may lead anywhere, to places lit otherwise, and masks come and go in patches: stains. So what
    is flat in S_{j→i} takes its colour, but not what there is of detail, from the frame.

    Args:
        output: the frame, RGB in [0, 1].
        sharp: sharp frames, aligned onto it.
        first: those after so many are trusted only where these are not; None = all are alike.
    """
    total, weights = _ABSENT * output, torch.full_like(output[:1], _ABSENT)
    trust, trusted_first = torch.zeros_like(weights), torch.zeros_like(weights)
    half, shown = _half(output), list[_Shown]()
    for number, aligned in enumerate(sharp):
        mask = aligned.mask[0]
        if first is not None and number >= first:
            mask = mask * (1 - trusted_first)
        else:
            trusted_first = torch.maximum(trusted_first, mask)
        shown.append(_coloured(aligned.image[0], mask, half))
    best = _best(shown)
    for one in shown:
        weight = one.mask.square()
        if best is not None and one is not best:
            weight.mul_(_agreement(one, best))
        weight.add_(_UNTRUSTED)
        total.addcmul_(weight, one.image)
        weights.add_(weight)
        torch.maximum(trust, one.mask, out=trust)
    return Guides(total.div_(weights)[None], trust[None])


def _half(values: Float[Tensor, "channel height width"]) -> Float[Tensor, "channel h w"]:
    height, width = values.shape[-2:]
    return area_reduced(values, max(1, height // 2), max(1, width // 2))


def _enlarged(
    values: Float[Tensor, "channel h w"], like: Float[Tensor, "_ height width"]
) -> Float[Tensor, "channel height width"]:
    height, width = like.shape[-2:]
    return resized(values[None], height, width)[0]


def _best(shown: list[_Shown]) -> _Shown | None:
    """The one that shows the same as the others on most of the frame; of two the more trusted one; None of none."""
    if len(shown) < 2:
        return shown[0] if shown else None
    size = [max(1, side // _SMALL) for side in shown[0].image.shape[-2:]]
    seen = [(area_reduced(one.half, *size), area_reduced(one.half_mask, *size)) for one in shown]
    if shown[0].image.device.type != "cpu":
        return _best_on_device(seen, shown)

    alike = np.zeros((len(seen), len(seen)))
    for n, (image, mask) in enumerate(seen):
        for k, (other, trust) in enumerate(seen[:n]):
            alike[n, k] = alike[k, n] = float((mask * trust * _alike(image - other)).mean())

    def worth(n: int) -> tuple[float, float]:
        return sum(alike[n].tolist(), 0.0), float(seen[n][1].mean())

    return shown[max(range(len(seen)), key=worth)]


def _best_on_device(seen: list[tuple[Tensor, Tensor]], shown: list[_Shown]) -> _Shown:
    """The same, a copy of it, chosen without asking the device which it is."""
    small, trust = (torch.stack(parts) for parts in zip(*seen, strict=True))
    rows = [(mask * trust * _alike_each(small - image)).mean(dim=(1, 2, 3)) for image, mask in seen]
    alike = torch.stack(rows)
    others = alike.sum(dim=1) - alike.diagonal()
    # Of two each agrees as much with the other; rounding must not decide.
    first = others >= others.amax() * (1 - 1e-6)
    best = torch.where(first, trust.mean(dim=(1, 2, 3)), -1).argmax(keepdim=True)
    parts = zip(*((one.image, one.mask, one.half, one.half_mask) for one in shown), strict=True)
    return _Shown(*(torch.stack(part).index_select(0, best)[0] for part in parts))


def _alike_each(apart: Float[Tensor, "guide 3 height width"]) -> Float[Tensor, "guide 1 height width"]:
    return (-((apart.abs().mean(dim=1, keepdim=True) / _TOLERANCE) ** 2)).exp()


def _coloured(
    image: Float[Tensor, "3 height width"], mask: Float[Tensor, "1 height width"], output: Float[Tensor, "3 h w"]
) -> _Shown:
    """S + f · mean(M (R - S)) / mean(M), where S is as flat as f, 0..1; R at half the size."""
    height, width = image.shape[-2:]
    size = max(1, height // _REDUCED), max(1, width // _REDUCED)
    side = 2 * max(1, round(max(height, width) / _NEARBY / _REDUCED)) + 1

    def around(values: Tensor) -> Tensor:
        small = area_reduced(values, *size)
        return mean_around(mean_around(small, side), side)

    half, half_mask = _half(image), _half(mask)
    trusted = half_mask + 1e-3
    change = around(trusted * (output - half)) / around(trusted)
    change = flatness(detail_reduced(image, size)) * change
    coloured, half = (_enlarged(change, picture).add_(picture).clamp_(0, 1) for picture in (image, half))
    return _Shown(coloured, mask, half, half_mask)


def _agreement(one: _Shown, best: _Shown) -> Float[Tensor, "1 height width"]:
    """1 where both show the same or the best is not trusted, 0 where they differ."""
    rules = best.mask / torch.maximum(best.mask, one.mask).clamp_(min=1e-6)
    return _alike(mean_around(one.image - best.image, 3)).sub_(1).mul_(rules).add_(1)


def _alike(apart: Float[Tensor, "3 height width"]) -> Float[Tensor, "1 height width"]:
    return apart.abs().mean(dim=0, keepdim=True).div_(_TOLERANCE).square_().neg_().exp_()
