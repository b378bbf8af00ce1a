"""How much memory is free, and how large a tile fits into it."""

import math

import psutil
import torch

_SHARE = 0.5
"""Part of the free memory that a network may fill; the rest is for frames, flows and whoever else is there."""


def free_bytes(device: torch.device) -> int:
    """Memory that can be allocated on `device` now."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def tile_side(height: int, width: int, frames: int, bytes_per_pixel: int, free: int, least: int) -> int | None:
    """Side of the largest square tile that fits, pixels; None where the whole frame does.

    Args:
        height: of the frame, pixels.
        width: of the frame, pixels.
        frames: frames in a window.
        bytes_per_pixel: what the network takes for each pixel of each frame.
        free: bytes.
        least: smallest side worth trying, pixels.
    """
    affordable = _SHARE * free / (bytes_per_pixel * frames)
    if affordable >= height * width:
        return None
    return max(least, math.isqrt(int(affordable)))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch ran out of memory, on whatever device."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
