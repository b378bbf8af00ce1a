"""Codes and linear light (Eq. B): the camera's response is taken to be a gamma of 2.2.

GoProShake used the response estimated for REDS (Nah et al., 2019), whose table is not public; Eq. B stands in.
"""

import numpy as np
from jaxtyping import Float, UInt8, UInt16

from selfhvd.ops.light import GAMMA


def to_light(codes: UInt8[np.ndarray, "h w 3"] | UInt16[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    """Eq. G's g^-1: 8- or 16-bit codes to linear light in [0, 1], float32."""
    return (codes.astype(np.float32) / np.iinfo(codes.dtype).max) ** GAMMA


def to_codes(light: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Eq. G's outer g: linear light, clipped to [0, 1], to 8-bit codes."""
    return np.rint(255 * np.clip(light, 0, 1) ** (1 / GAMMA)).astype(np.uint8)
