"""One frame: its stored form, and what metrics and networks take, 8 bits or values in [0, 1]."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8, UInt16

if TYPE_CHECKING:
    import torch

Frame = UInt8[np.ndarray, "height width 3"] | UInt16[np.ndarray, "height width 3"]
"""RGB, upright; deeper sources spread over 0..65535."""


def as_bytes(frame: Frame) -> UInt8[np.ndarray, "height width 3"]:
    """A frame of 8 or 16 bits, rounded to 8."""
    return frame if frame.dtype == np.uint8 else np.rint(frame / 257).astype(np.uint8)


def as_tensor(frame: Frame) -> "torch.Tensor":
    """A frame of 8 or 16 bits as float32 `3 height width` in [0, 1]."""
    import torch  # the child process that decodes does without

    values = frame.astype(np.float32) / np.iinfo(frame.dtype).max
    return torch.from_numpy(values).permute(2, 0, 1).contiguous()
