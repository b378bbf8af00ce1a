"""Fuse (ours): several sharp frames, aligned onto one place, become the one guide that a network is shown."""

from collections.abc import Iterable

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
    images, masks = list[Tensor](), list[Tensor]()
    for number, aligned in enumerate(sharp):
        mask = aligned.mask[0]
        if first is not None and number >= first:
            mask = mask * (1 - trusted_first)
        else:
            trusted_first = torch.maximum(trusted_first, mask)
        images.append(_coloured(aligned.image[0], mask, output))
        masks.append(mask)
    best, trusted = _best(images, masks)
    for image, mask in zip(images, masks, strict=True):
        agreement = 1.0 if image is best else _agreement(image, mask, best, trusted)
        weight = mask.square().mul_(agreement).add_(_UNTRUSTED)
        total.addcmul_(weight, image)
        weights.add_(weight)
        torch.maximum(trust, mask, out=trust)
    return Guides(total.div_(weights)[None], trust[None])


def _best(images: list[Tensor], masks: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The image that shows the same as the others on most of the frame, and its mask; of two the more trusted one."""
    if len(images) < 2:
        return (images[0], masks[0]) if images else (torch.empty(0), torch.empty(0))

    def small(values: Tensor) -> Tensor:
        size = [max(1, side // _SMALL) for side in values.shape[-2:]]
        return area_reduced(values, *size)

    seen = [(small(image), small(mask)) for image, mask in zip(images, masks, strict=True)]
    if images[0].device.type != "cpu":
        return _best_on_device(seen, images, masks)

    alike = np.zeros((len(seen), len(seen)))
    for n, (image, mask) in enumerate(seen):
        for k, (other, trust) in enumerate(seen[:n]):
            alike[n, k] = alike[k, n] = float((mask * trust * _alike(image - other)).mean())

    def worth(n: int) -> tuple[float, float]:
        return sum(alike[n].tolist(), 0.0), float(seen[n][1].mean())

    best = max(range(len(seen)), key=worth)
    return images[best], masks[best]


def _best_on_device(
    seen: list[tuple[Tensor, Tensor]], images: list[Tensor], masks: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """The same, chosen without asking the device which it is."""
    small, trust = (torch.stack(parts) for parts in zip(*seen, strict=True))
    rows = [(mask * trust * _alike_each(small - image)).mean(dim=(1, 2, 3)) for image, mask in seen]
    alike = torch.stack(rows)
    others = alike.sum(dim=1) - alike.diagonal()
    # Of two each agrees as much with the other; rounding must not decide.
    first = others >= others.amax() * (1 - 1e-6)
    best = torch.where(first, trust.mean(dim=(1, 2, 3)), -1).argmax(keepdim=True)
    return torch.stack(images).index_select(0, best)[0], torch.stack(masks).index_select(0, best)[0]


def _alike_each(apart: Float[Tensor, "guide 3 height width"]) -> Float[Tensor, "guide 1 height width"]:
    return (-((apart.abs().mean(dim=1, keepdim=True) / _TOLERANCE) ** 2)).exp()


def _coloured(
    image: Float[Tensor, "3 height width"],
    mask: Float[Tensor, "1 height width"],
    output: Float[Tensor, "3 height width"],
) -> Float[Tensor, "3 height width"]:
    """S + f · mean(M (R - S)) / mean(M), where S is as flat as f, 0..1."""
    height, width = image.shape[-2:]
    size = max(1, height // _REDUCED), max(1, width // _REDUCED)
    side = 2 * max(1, round(max(height, width) / _NEARBY / _REDUCED)) + 1

    def around(values: Tensor) -> Tensor:
        small = area_reduced(values, *size)
        return mean_around(mean_around(small, side), side)

    trusted = mask + 1e-3
    change = around(trusted * (output - image)) / around(trusted)
    change = flatness(detail_reduced(image, size)) * change
    return resized(change[None], height, width)[0].add_(image).clamp_(0, 1)


def _agreement(
    image: Float[Tensor, "3 height width"],
    mask: Float[Tensor, "1 height width"],
    best: Float[Tensor, "3 height width"],
    trusted: Float[Tensor, "1 height width"],
) -> Float[Tensor, "1 height width"]:
    """1 where both show the same or the best is not trusted, 0 where they differ."""
    rules = trusted / torch.maximum(trusted, mask).clamp_(min=1e-6)
    return _alike(mean_around(image - best, 3)).sub_(1).mul_(rules).add_(1)


def _alike(apart: Float[Tensor, "3 height width"]) -> Float[Tensor, "1 height width"]:
    return apart.abs().mean(dim=0, keepdim=True).div_(_TOLERANCE).square_().neg_().exp_()
