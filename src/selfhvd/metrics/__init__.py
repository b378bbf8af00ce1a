"""How good a result is, against the truth."""

from selfhvd.metrics.drift import drift
from selfhvd.metrics.psnr import psnr

__all__ = ["drift", "psnr"]
