"""PSNR: RGB, 8-bit, no border cut."""

import numpy as np
from jaxtyping import UInt8
from skimage.metrics import peak_signal_noise_ratio

from selfhvd.metrics.definition import MEAN_OF_FRAMES, Definition

IDENTICAL = 100.0
"""Decibels given to two equal images, so that means stay finite."""

PSNR = Definition(
    name="psnr",
    title="PSNR, dB",
    better="higher",
    formula="10 log10(255^2 / MSE) against the truth, MSE over all pixels and channels of 8-bit values; "
    f"at most {IDENTICAL:.0f}",
    colour="RGB, gamma-encoded, rounded to 8 bits",
    borders="none cut",
    averaging=f"{MEAN_OF_FRAMES} (of dB, not of MSE)",
    libraries=("scikit-image",),
)


def psnr(image: UInt8[np.ndarray, "height width 3"], truth: UInt8[np.ndarray, "height width 3"]) -> float:
    """10 log10(255^2 / MSE) over all pixels and channels, in dB; at most `IDENTICAL`."""
    if np.array_equal(image, truth):
        return IDENTICAL
    return min(IDENTICAL, float(peak_signal_noise_ratio(truth, image, data_range=255)))
