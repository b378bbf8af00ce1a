"""From values in [0, 1] to whole numbers, as files store them."""

import numpy as np
import torch
from jaxtyping import Float, UInt8, UInt16
from torch import Tensor


def to_pixels(
    image: Float[Tensor, "*batch channel height width"], depth: int = 8
) -> UInt8[np.ndarray, "*batch height width channel"] | UInt16[np.ndarray, "*batch height width channel"]:
    """Images as arrays; see `quantize`."""
    return np.ascontiguousarray(quantize(image.movedim(-3, -1), depth))


def quantize(
    values: Float[Tensor, "*shape"], depth: int = 8
) -> UInt8[np.ndarray, "*shape"] | UInt16[np.ndarray, "*shape"]:
    """[0, 1] -> 0..255, or 0..65535 where `depth` is more than 8 bits: to the nearest, halves to the even one."""
    kind = np.uint8 if depth == 8 else np.uint16
    codes = (np.iinfo(kind).max * values.clamp(0, 1)).round()
    if codes.device.type == "cpu":
        return codes.numpy().astype(kind)
    # As few bytes as the file takes leave the device; of 16 bits the upper half is told as negative numbers.
    short = codes.to(torch.uint8) if depth == 8 else codes.to(torch.int32).to(torch.int16)
    return short.cpu().numpy().view(kind)
