"""Overlapping windows in time and their blending weights."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor


def windows(count: int, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Half-open ranges that cover 0..count in order, each at most `size` long, neighbours sharing `overlap` frames.

    Raises:
        ValueError: `overlap` is not smaller than `size`.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"windows of {size} frames cannot overlap by {overlap}")
    start = 0
    while start + size < count:
        yield start, start + size
        start += size - overlap
    yield start, count


def blend_weights(length: int, fade_in: int, fade_out: int) -> Float[Tensor, " length"]:
    """Weights of a window's frames: rising over its first `fade_in`, falling over its last `fade_out`.

    The falling weights of one window and the rising ones of the next add up to 1 where both are as long.
    """
    weight = torch.ones(length)
    weight[:fade_in] = torch.arange(1, fade_in + 1) / (fade_in + 1)
    weight[length - fade_out :] = torch.arange(fade_out, 0, -1) / (fade_out + 1)
    return weight
