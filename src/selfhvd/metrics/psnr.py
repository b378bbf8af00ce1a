"""PSNR: RGB, 8-bit, no border cut."""

import numpy as np
from skimage.metrics import peak_signal_noise_ratio

from selfhvd.metrics.definition import MEAN_OF_FRAMES, Definition
from selfhvd.video.frame import Picture, as_bytes, check_alike

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


def psnr(image: Picture, truth: Picture) -> float:
    """10 log10(255^2 / MSE) over all pixels and channels of 8 bits, in dB; at most `IDENTICAL`.

    Raises:
        UsageError: one is no `Picture`, or they differ in size.
    """
    image, truth = as_bytes(image), as_bytes(truth)
    check_alike(image, truth)
    if np.array_equal(image, truth):
        return IDENTICAL
    return min(IDENTICAL, float(peak_signal_noise_ratio(truth, image, data_range=255)))
