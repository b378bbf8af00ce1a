"""SSIM (Wang et al. 2004), the variant most video deblurring tables use: Gaussian window, RGB, valid region."""

import numpy as np
from skimage.metrics import structural_similarity

from selfhvd.errors import UsageError
from selfhvd.metrics.definition import MEAN_OF_FRAMES, Definition
from selfhvd.video.frame import Picture, as_bytes, check_alike

SIGMA = 1.5
"""Pixels, of the Gaussian window."""
WINDOW = 11
"""Pixels a side; smaller images have no SSIM."""

SSIM = Definition(
    name="ssim",
    title="SSIM",
    better="higher",
    formula=f"Wang et al. 2004 against the truth: {WINDOW}x{WINDOW} Gaussian window of sigma {SIGMA}, K1 0.01, "
    "K2 0.03, population covariance, range 255; of each channel, then their mean",
    colour="RGB, gamma-encoded, rounded to 8 bits",
    borders=f"only windows that lie inside the frame ({WINDOW // 2} pixels a side have no window of their own)",
    averaging=MEAN_OF_FRAMES,
    libraries=("scikit-image",),
    decimals=4,
)


def ssim(image: Picture, truth: Picture) -> float:
    """Mean over windows and channels of the structural similarity, -1 to 1; 1 only for equal images.

    With means m, variances s² and covariance c under the window, C1 = (0.01 * 255)² and C2 = (0.03 * 255)²:
    (2 m_x m_y + C1)(2 c + C2) / ((m_x² + m_y² + C1)(s_x² + s_y² + C2)).

    Raises:
        UsageError: one is no `Picture`, they differ in size, or a side is shorter than `WINDOW` pixels.
    """
    image, truth = as_bytes(image), as_bytes(truth)
    check_alike(image, truth)
    if min(image.shape[:2]) < WINDOW:
        raise UsageError(
            f"SSIM needs images of at least {WINDOW} pixels a side, not {image.shape[1]}x{image.shape[0]}."
        )
    score = structural_similarity(
        truth,
        image,
        channel_axis=-1,
        data_range=255,
        gaussian_weights=True,
        sigma=SIGMA,
        use_sample_covariance=False,
    )
    return float(np.asarray(score))
