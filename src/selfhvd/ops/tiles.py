"""Overlapping tiles in space, for frames that do not fit into memory, and how they are blended."""

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Clip = Float[Tensor, "batch frame 3 height width"]


def spans(length: int, size: int, overlap: int) -> list[tuple[int, int]]:
    """Half-open ranges of at most `size` that cover 0..length, neighbours sharing at least `overlap`.

    All are equally long; the last ends at `length`.

    Raises:
        ValueError: `overlap` is not smaller than `size`.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"tiles of {size} pixels cannot overlap by {overlap}")
    if size >= length:
        return [(0, length)]
    count = -(-(length - overlap) // (size - overlap))
    return [(start, start + size) for start in (round(n * (length - size) / (count - 1)) for n in range(count))]


def tiled(run: Callable[[list[Tensor]], Clip], images: Sequence[Tensor], size: int | None, overlap: int) -> Clip:
    """`run(images)`, tile by tile, blended over the shared borders.

    Args:
        run: clip, guides and trust, cut alike, to the restored clip; all end in `height width`.
        images: the first of them is the clip; the result has its shape.
        size: pixels a tile's side, None = one tile.
        overlap: pixels that neighbours share.
    """
    height, width = images[0].shape[-2:]
    if size is None or size >= max(height, width):
        return run(list(images))
    total = torch.zeros_like(images[0])
    weight = torch.zeros_like(images[0][0, 0, :1])
    for (top, bottom), (left, right) in _grid(height, width, size, overlap):
        cut = (..., slice(top, bottom), slice(left, right))
        ramp = torch.outer(
            _ramp(bottom - top, overlap, top > 0, bottom < height),
            _ramp(right - left, overlap, left > 0, right < width),
        ).to(total)
        total[cut] += ramp * run([image[cut] for image in images])
        weight[cut] += ramp
    return total / weight


def _grid(height: int, width: int, size: int, overlap: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    for rows in spans(height, size, overlap):
        for columns in spans(width, size, overlap):
            yield rows, columns


def _ramp(length: int, overlap: int, rises: bool, falls: bool) -> Float[Tensor, " length"]:
    """Linear from nearly 0 over `overlap` pixels where a neighbour joins on, 1 elsewhere."""
    weight = torch.ones(length)
    slope = torch.arange(1, overlap + 1) / (overlap + 1)
    if rises:
        weight[:overlap] = slope
    if falls:
        weight[length - overlap :] = torch.minimum(weight[length - overlap :], slope.flip(0))
    return weight
