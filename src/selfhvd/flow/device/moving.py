"""Where does anything move on its own? `selfhvd.flow.moving` on a device: a mask instead of a part of the image."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfhvd.flow.device.level import slopes
from selfhvd.flow.moving import AROUND, BORDER, MARGIN, NOISE, SMALLEST
from selfhvd.ops.flatness import mean_around

Grey = Float[Tensor, "batch 1 height width"]


def near_motion(first: Grey, second: Grey, shown: Grey, least: float) -> Grey:
    """1 near what has moved by `least` pixels or more, by one least-squares step (Lucas and Kanade); 0 elsewhere.

    `shown`: 1 where `second` shows anything, 0 elsewhere.
    """
    before, after = _mean(first, 3), _mean(second, 3)
    inside = 1 - _widest(1 - F.pad(shown, (1, 1, 1, 1)), 2 * BORDER + 1)[..., 1:-1, 1:-1]
    x, y = (inside * slope for slope in slopes(0.5 * (before + after)))
    apart = inside * (before - after)
    products = torch.cat([x * x, x * y, y * y, x * apart, y * apart], dim=1)
    xx, xy, yy, xd, yd = _mean(products, AROUND).split(1, dim=1)
    xx, yy = xx + NOISE**2, yy + NOISE**2
    along, down, scale = yy * xd - xy * yd, xx * yd - xy * xd, xx * yy - xy * xy
    moved = (along * along + down * down > (least * scale) ** 2).to(first)
    opened = _widest(1 - _widest(1 - moved, SMALLEST), SMALLEST)
    return _widest(opened, 2 * MARGIN + 1)


def _widest(values: Grey, side: int) -> Grey:
    """The largest of `side` x `side` pixels around each."""
    rows = F.max_pool2d(values, (side, 1), stride=1, padding=(side // 2, 0))
    return F.max_pool2d(rows, (1, side), stride=1, padding=(0, side // 2))


def _mean(
    values: Float[Tensor, "batch product height width"], side: int
) -> Float[Tensor, "batch product height width"]:
    return mean_around(values.flatten(0, 1), side).view_as(values)
