"""A dense flow in torch: windows matched by least squares, coarse to fine (Lucas and Kanade), and smoothed."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.device.level import slopes
from selfhvd.flow.device.moving import near_motion
from selfhvd.flow.predictor import Flow, FlowPredictor
from selfhvd.ops.area import area_reduced
from selfhvd.ops.flatness import mean_around
from selfhvd.ops.order import median_around
from selfhvd.ops.warp import resize_flow, warp_clamped

Grey = Float[Tensor, "batch 1 height width"]
Field = Float[Tensor, "batch xy=2 height width"]

_LEAST_SIDE = 12
"""Pixels of the shorter side of the smallest image that is looked at."""
_ROUNDS, _LAST_ROUNDS = 5, 4
"""Steps on each size, and on the last one."""
_WINDOW = 5
"""Pixels a side of a mean that is taken twice: a motion holds over about twice as many."""
_NOISE = 1.5 / 255
"""Slope, of [0, 1] a pixel, that is as good as none."""
_STRANGE = 0.1
"""Difference, of [0, 1], that counts half."""
_MOST = 1.0
"""Pixels of one step."""
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

    def _smooth(self, image: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel height width"]:
        return _mean(image, self.blur)


def window_flow(first: Grey, second: Grey, known: Grey | None = None) -> Field:
    """The field p -> p + u for which `second` shows at its end what `first` shows at p; zero between the same images.

    On each size: least squares over a window around each pixel, differences of the windows' means left out and what
    is strange weighing less, then a median and a mean in which clear places count more than bare ones.

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
        field = resize_flow(field, *size)
        for _ in range(_LAST_ROUNDS if size == sizes[-1] else _ROUNDS):
            field = _calm(*_stepped(field, one, other, (seen > _KNOWN).to(seen)))
    return field


def _sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Of the images looked at, smallest first, each twice the one before."""
    sizes = [(height, width)]
    while min(sizes[-1]) >= 2 * _LEAST_SIDE:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes[::-1]


def _stepped(field: Field, first: Grey, second: Grey, known: Grey) -> tuple[Field, Grey]:
    """One step of least squares, and how clear each place is."""
    brought = warp_clamped(second, field)
    apart = first - brought
    x, y = slopes(0.5 * (first + brought))
    weight = known / (1 + (apart / _STRANGE) ** 2)
    products = (x, y, apart, x * x, x * y, y * y, x * apart, y * apart)
    sums = _window(torch.cat([weight, *(weight * product for product in products)], dim=1)).split(1, dim=1)
    total = sums[0].clamp(min=1e-6)
    mx, my, md, xx, xy, yy, xd, yd = (part / total for part in sums[1:])
    xx, xy, yy, xd, yd = xx - mx * mx, xy - mx * my, yy - my * my, xd - mx * md, yd - my * md
    xx, yy = xx.clamp(min=0) + _NOISE**2, yy.clamp(min=0) + _NOISE**2
    scale = xx * yy - xy * xy
    step = torch.cat([yy * xd - xy * yd, xx * yd - xy * xd], dim=1) / scale
    length = torch.hypot(*step.split(1, dim=1))
    clear = scale / (xx + yy)
    return field + step * (_MOST / length.clamp(min=_MOST)), clear


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
