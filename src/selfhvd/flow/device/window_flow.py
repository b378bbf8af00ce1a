"""A dense flow in torch: windows matched by least squares, coarse to fine (Lucas and Kanade), and smoothed."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.device.level import slopes
from selfhvd.flow.device.moving import near_motion
from selfhvd.flow.device.sampling import Sampler, centred
from selfhvd.flow.predictor import Flow, FlowPredictor
from selfhvd.ops.area import area_reduced
from selfhvd.ops.flatness import mean_around
from selfhvd.ops.order import median_around
from selfhvd.ops.warp import resize_flow, warp_clamped

Grey = Float[Tensor, "batch 1 height width"]
Field = Float[Tensor, "batch xy=2 height width"]

_LEAST_SIDE = 12
"""Pixels of the shorter side of the smallest image that is looked at."""
_ROUNDS = 5
"""Steps on each size."""
_SPREAD_AT, _REACH = (0, 2), 4
"""Steps before which a field is taken from places around, and how far away these are, pixels."""
_WINDOW = 5
"""Pixels a side of a mean that is taken twice: a motion holds over about twice as many."""
_NOISE = 1.5 / 255
"""Slope, of [0, 1] a pixel, that is as good as none."""
_STRANGE = 0.1
"""Difference, of [0, 1], that counts half."""
_MOST = 1.0
"""Pixels of one step."""
_PRODUCTS = (0, 0, 1, 0, 1), (0, 1, 1, 2, 2)
"""Which two of slope right, slope down and difference are multiplied for least squares."""
_KNOWN = 0.99
"""Part of a reduced pixel that must be shown."""
_SMOOTH = (3, 5)
"""Pixels a side of the median and of the weighted mean that take errors out of the field."""


class WindowFlow(FlowPredictor):
    """Lucas and Kanade on grey images, with a certainty as that of `Dis`; stays on the images' device.

    Args:
        tolerance: residual (colour in [0, 1]) at which a pixel counts as lost.
        blur: side of the low-pass box, pixels, odd: wider than the blur that is to be removed.
    """

    name = "windows"

    def __init__(self, tolerance: float = 0.15, blur: int = 21) -> None:
        self.tolerance, self.blur = tolerance, blur

    @torch.no_grad()
    def __call__(
        self, first: Float[Tensor, "batch 3 height width"], second: Float[Tensor, "batch 3 height width"]
    ) -> Flow:
        """See `FlowPredictor`."""
        field = window_flow(_grey(first), _grey(second))
        return self._judged(field, self._smooth(first), self._smooth(second))

    @torch.no_grad()
    def both(
        self, first: Float[Tensor, "batch 3 height width"], second: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Flow, Flow]:
        """See `FlowPredictor`; both directions at once."""
        a, b = _grey(first), _grey(second)
        there, back = window_flow(torch.cat([a, b]), torch.cat([b, a])).chunk(2)
        calm, other = self._smooth(first), self._smooth(second)
        return self._judged(there, calm, other), self._judged(back, other, calm)

    @torch.no_grad()
    def rest(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
        shown: Bool[Tensor, "batch 1 height width"],
        least: float,
    ) -> tuple[Flow, Flow]:
        """See `FlowPredictor`: what is not shown has no say, and is still, like what is far from all that moves."""
        a, b, known = _grey(first), _grey(second), shown.to(first)
        found = window_flow(torch.cat([a, b]), torch.cat([b, a]), torch.cat([known, known]))
        there, back = (found * (known * near_motion(a, b, known, least)).repeat(2, 1, 1, 1)).chunk(2)
        calm, other = self._smooth(first), self._smooth(second)
        return self._judged(there, calm, other), self._judged(back, other, calm)

    def _judged(
        self, field: Field, calm: Float[Tensor, "batch 3 height width"], other: Float[Tensor, "batch 3 height width"]
    ) -> Flow:
        residual = (calm - warp_clamped(other, field)).abs().mean(dim=1, keepdim=True)
        return Flow(field, 1 - (self._smooth(residual) / self.tolerance).clamp(max=1))

    def _smooth(
        self, image: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        return _mean(image, self.blur)


def window_flow(first: Grey, second: Grey, known: Grey | None = None) -> Field:
    """The field p -> p + u for which `second` shows at its end what `first` shows at p; zero between the same images.

    On each size each pixel first takes, of its own field, no motion and the fields of places around it, the one whose
    window differs least. Then steps of least squares over the window, what is strange weighing less, smoothed by a
    median and by a mean in which clear places count more than bare ones; a step stands where it brings the images
    nearer.

    Args:
        first: in [0, 1].
        second: in [0, 1].
        known: 1 where both show something, 0 where either ends; None = everywhere.
    """
    known = torch.ones_like(first) if known is None else known
    sizes = _sizes(first.shape[-2], first.shape[-1])
    field = first.new_zeros(len(first), 2, *sizes[0])
    for size in sizes:
        one, other, seen = (area_reduced(image, *size) for image in (first, second, known))
        search = _Search(one, other, (seen > _KNOWN).to(seen))
        held = search.tried(resize_flow(field, *size))
        for number in range(_ROUNDS):
            if number in _SPREAD_AT:
                held = search.spread(held)
            held = search.better(held, search.tried(_calm(*search.stepped(held))))
        field = _calm(held.field, search.stepped(held)[1])
    return field


def _sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Of the images looked at, smallest first, each twice the one before."""
    sizes = [(height, width)]
    while min(sizes[-1]) >= 2 * _LEAST_SIDE:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes[::-1]


@dataclass(frozen=True)
class _Tried:
    """A field, the second image brought over by it, and by how much each pixel's window misses."""

    field: Field
    brought: Grey
    missed: Grey


class _Search:
    """Two images of one size."""

    def __init__(self, first: Grey, second: Grey, known: Grey) -> None:
        self.first, self.second, self.known = first, second, known
        self._total = _window(known).clamp(min=1e-6)
        self._centred = centred(first)
        self._read = Sampler(first.shape[-2], first.shape[-1], (1.0, 1.0), first)

    def tried(self, field: Field) -> _Tried:
        """One field, or several of each pair, one after the other for all pairs."""
        one, other, known, total = self._repeated(len(field) // len(self.first))
        brought = self._read(other, self._centred + field)
        apart = (one - brought).abs().clamp(max=2 * _STRANGE)
        return _Tried(field, brought, _window(known * apart) / total)

    def _repeated(self, times: int) -> list[Grey]:
        images = (self.first, self.second, self.known, self._total)
        return [image.repeat(times, 1, 1, 1) for image in images]

    def spread(self, held: _Tried) -> _Tried:
        """Each pixel's own field, no motion, or that of a place around it."""
        others = [torch.zeros_like(held.field), *_beside(held.field)]
        tried = self.tried(torch.cat(others))
        parts = [part.unflatten(0, (len(others), -1)) for part in (tried.field, tried.brought, tried.missed)]
        missed, place = parts[2].min(dim=0, keepdim=True)
        field, brought = (part.gather(0, place.expand(-1, -1, part.shape[2], -1, -1))[0] for part in parts[:2])
        return self.better(held, _Tried(field, brought, missed[0]))

    def better(self, held: _Tried, other: _Tried) -> _Tried:
        """Pixel by pixel the one whose window misses less."""
        nearer = other.missed < held.missed
        return _Tried(
            torch.where(nearer, other.field, held.field),
            torch.where(nearer, other.brought, held.brought),
            torch.where(nearer, other.missed, held.missed),
        )

    def stepped(self, held: _Tried) -> tuple[Field, Grey]:
        """One step of least squares, and how clear each place is."""
        apart = self.first - held.brought
        x, y = slopes(0.5 * (self.first + held.brought))
        weight = self.known / (1 + (apart / _STRANGE) ** 2)
        means = torch.cat([x, y, apart], dim=1)
        one, other = (torch.cat([means[:, n : n + 1] for n in places], dim=1) for places in _PRODUCTS)
        sums = _window(torch.cat([weight, weight * torch.cat([means, one * other], dim=1)], dim=1))
        means, products = (sums[:, 1:] / sums[:, :1].clamp(min=1e-6)).split([3, 5], dim=1)
        one, other = (torch.cat([means[:, n : n + 1] for n in places], dim=1) for places in _PRODUCTS)
        xx, xy, yy, xd, yd = (products - one * other).split(1, dim=1)
        xx, yy = xx.clamp(min=0) + _NOISE**2, yy.clamp(min=0) + _NOISE**2
        scale = xx * yy - xy * xy
        step = torch.cat([yy * xd - xy * yd, xx * yd - xy * xd], dim=1) / scale
        length = torch.hypot(*step.split(1, dim=1))
        return held.field + step * (_MOST / length.clamp(min=_MOST)), scale / (xx + yy)


def _beside(field: Field) -> list[Field]:
    """The fields of places a few pixels left, right, above and below."""
    height, width = field.shape[-2:]
    p = F.pad(field, (_REACH,) * 4, mode="replicate")
    starts = ((_REACH, 0), (_REACH, 2 * _REACH), (0, _REACH), (2 * _REACH, _REACH))
    return [p[..., top : top + height, left : left + width] for top, left in starts]


def _calm(field: Field, clear: Grey) -> Field:
    median, mean = _SMOOTH
    field = median_around(field, median)
    return _mean(clear * field, mean) / _mean(clear, mean)


def _window(products: Float[Tensor, "batch product height width"]) -> Float[Tensor, "batch product height width"]:
    return _mean(_mean(products, _WINDOW), _WINDOW)


def _mean(image: Float[Tensor, "batch channel height width"], side: int) -> Float[Tensor, "batch channel height width"]:
    return mean_around(image.flatten(0, 1), side).view_as(image)


def _grey(image: Float[Tensor, "batch 3 height width"]) -> Grey:
    return image.mean(dim=1, keepdim=True)
