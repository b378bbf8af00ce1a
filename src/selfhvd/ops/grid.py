"""The pixel grid: the only place where pixels and `grid_sample`'s [-1, 1] coordinates meet."""

import torch
from jaxtyping import Float
from torch import Tensor


def pixel_grid(height: int, width: int, like: Tensor) -> Float[Tensor, "xy=2 height width"]:
    """Coordinates (x, y) of every pixel centre, in pixels; device and dtype as `like`."""
    y = torch.arange(height, device=like.device, dtype=like.dtype)
    x = torch.arange(width, device=like.device, dtype=like.dtype)
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)])


def to_sampler(points: Float[Tensor, "batch xy=2 height width"]) -> Float[Tensor, "batch height width xy=2"]:
    """Pixel coordinates -> the normalised ones of `grid_sample(align_corners=True)`."""
    height, width = points.shape[-2:]
    if points.device.type != "cpu":
        # By numbers of the host: a tensor made of them would have to be waited for.
        x, y = points.unbind(1)
        return torch.stack([x * (2 / max(width - 1, 1)) - 1, y * (2 / max(height - 1, 1)) - 1], dim=-1)
    size = points.new_tensor([max(width - 1, 1), max(height - 1, 1)]).view(1, 2, 1, 1)
    return (2 * points / size - 1).permute(0, 2, 3, 1)
