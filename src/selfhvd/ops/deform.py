"""Sampling between pixels, the heart of deformable convolution (Dai et al., ICCV 2017) and deformable attention."""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from selfhvd.ops.grid import pixel_grid

_VALUES_ON_CPU, _VALUES_ELSEWHERE = 2**19, 2**26
"""Sampled values held at once: few enough for a processor's cache, many enough for a GPU."""


def rows_at_once(like: Float[Tensor, "*batch height width"], values: int) -> int:
    """How many rows of a picture to sample at a time when each pixel takes `values`: memory does not grow with it."""
    budget = _VALUES_ON_CPU if like.device.type == "cpu" else _VALUES_ELSEWHERE
    return max(1, budget // (values * like.shape[-1]))


def neighbourhoods(flow: Float[Tensor, "batch xy=2 height width"]) -> Float[Tensor, "batch tap=9 xy=2 height width"]:
    """Where a 3x3 kernel's taps, row by row, fall when each pixel is moved by `flow`; pixels, (x, y)."""
    taps = pixel_grid(3, 3, like=flow).flatten(1).T - 1
    centres = pixel_grid(*flow.shape[-2:], like=flow) + flow
    return centres[:, None] + taps[:, :, None, None]


def sample_guided(
    features: Float[Tensor, "batch channel height width"],
    places: Float[Tensor, "batch tap xy=2 rows columns"],
    offsets: Float[Tensor, "batch group_tap_yx rows columns"],
) -> Float[Tensor, "batch group per_group tap rows columns"]:
    """X(place + offset) for each tap, bilinear, zeros outside; pixels.

    Channels are split evenly over groups, each with offsets of its own, which are stored as (y, x), unlike flow.
    """
    height, width = features.shape[-2:]
    taps = places.shape[1]
    y, x = rearrange(offsets, "b (g tap yx) h w -> yx b g tap h w", tap=taps, yx=2)
    x, y = x + places[:, None, :, 0], y + places[:, None, :, 1]
    # Straight to what `grid_sample` takes: a detour by `to_sampler` would copy it all once more.
    points = torch.stack([x * (2 / max(width - 1, 1)) - 1, y * (2 / max(height - 1, 1)) - 1], dim=-1)
    sampled = F.grid_sample(
        rearrange(features, "b (g c) h w -> (b g) c h w", g=points.shape[1]),
        rearrange(points, "b g tap h w xy -> (b g) (tap h) w xy"),
        padding_mode="zeros",
        align_corners=True,
    )
    return rearrange(sampled, "(b g) c (tap h) w -> b g c tap h w", b=points.shape[0], tap=taps)


def bounded(x: Float[Tensor, "*shape"], limit: float) -> Float[Tensor, "*shape"]:
    """Tanh that ends at the limit: limit · tanh(x), from the sigmoid, which takes a CPU a tenth of the time."""
    return limit * (2 * (2 * x).sigmoid() - 1)


def precise(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """At least float32, which places between pixels need."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
