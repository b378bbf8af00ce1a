"""Medians and quantiles of a part of each row, told without asking the device how large that part is."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def quantile_where(
    values: Float[Tensor, "row place"], counts: Bool[Tensor, "row place"], part: float
) -> Float[Tensor, " row"]:
    """The value in each row below which `part` of those lie that count; infinity where none does."""
    ordered = torch.where(counts, values, torch.inf).sort(dim=1).values
    place = (part * (counts.sum(dim=1) - 1).clamp(min=0)).round().long()
    return ordered.gather(1, place[:, None])[:, 0]


def best(
    values: Float[Tensor, "row choice"], choices: Float[Tensor, "row choice *shape"]
) -> Float[Tensor, "row *shape"]:
    """Of `choices` each row's with the smallest of `values`, the first of equals; NaN is the largest."""
    place = values.nan_to_num(nan=torch.inf).argmin(dim=1)
    index = place.view(-1, *[1] * (choices.ndim - 1)).expand(-1, 1, *choices.shape[2:])
    return choices.gather(1, index)[:, 0]


def median_around(
    image: Float[Tensor, "batch channel height width"], side: int
) -> Float[Tensor, "batch channel height width"]:
    """Of `side` x `side` pixels around each, the border repeated; `side` is odd."""
    height, width = image.shape[-2:]
    padded = F.pad(image, (side // 2,) * 4, mode="replicate")
    if side == 3:
        return _median_of_nine(*(padded[..., y : y + height, :] for y in range(3)))
    near = [padded[..., y : y + height, x : x + width] for y in range(side) for x in range(side)]
    return torch.stack(near).median(dim=0).values


def _median_of_nine(above: Tensor, here: Tensor, below: Tensor) -> Tensor:
    """Each column is put in order once for the three pixels that see it: a graphics card's own median is far slower."""
    low, high = torch.minimum(above, here), torch.maximum(above, here)
    low, rest = torch.minimum(low, below), torch.maximum(low, below)
    middle, high = torch.minimum(high, rest), torch.maximum(high, rest)
    lows, middles, highs = (_beside(values) for values in (low, middle, high))
    largest_low = torch.maximum(torch.maximum(lows[0], lows[1]), lows[2])
    smallest_high = torch.minimum(torch.minimum(highs[0], highs[1]), highs[2])
    return _middle(largest_low, _middle(*middles), smallest_high)


def _beside(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return values[..., :-2], values[..., 1:-1], values[..., 2:]


def _middle(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return torch.maximum(torch.minimum(a, b), torch.minimum(torch.maximum(a, b), c))
