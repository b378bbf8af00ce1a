"""From a stored frame to what metrics look at: 8 bits, whatever the depth of the file."""

import numpy as np
import torch
from jaxtyping import Float, UInt8, UInt16
from torch import Tensor


def as_bytes(
    frame: UInt8[np.ndarray, "height width 3"] | UInt16[np.ndarray, "height width 3"],
) -> UInt8[np.ndarray, "height width 3"]:
    """A frame of 8 or 16 bits, rounded to 8."""
    return frame if frame.dtype == np.uint8 else (frame / 257).round().astype(np.uint8)


def as_tensor(image: UInt8[np.ndarray, "height width 3"]) -> Float[Tensor, "3 height width"]:
    """The same values in [0, 1], channels first."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 255
