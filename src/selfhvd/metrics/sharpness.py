"""Sharpness v_l (Eq. 1) of a frame as it is stored."""

from selfhvd.method.sharp_frames import laplacian_variance
from selfhvd.metrics.definition import MEAN_OF_FRAMES, Definition
from selfhvd.video.frame import Picture, as_bytes, as_tensor

SHARPNESS = Definition(
    name="sharpness",
    title="sharpness v_l",
    better="for comparison",
    formula="variance of the 3x3 Laplacian (Eq. 1) of the result on values of 0..255, over all pixels and channels "
    "together; noise and artefacts raise it too",
    colour="RGB, gamma-encoded, rounded to 8 bits",
    borders="mirrored, none cut",
    averaging=MEAN_OF_FRAMES,
    libraries=("torch",),
    decimals=1,
)
SHARPNESS_REFERENCE = Definition(
    name="sharpness_reference",
    title="sharpness of the reference",
    better="for comparison",
    formula="the same of the reference",
    colour=SHARPNESS.colour,
    borders=SHARPNESS.borders,
    averaging=SHARPNESS.averaging,
    libraries=SHARPNESS.libraries,
    decimals=1,
)


def sharpness(image: Picture) -> float:
    """v_l, the variance of the Laplacian, of 8 bits; see `laplacian_variance`.

    Raises:
        UsageError: it is no `Picture`.
    """
    return float(laplacian_variance(as_tensor(as_bytes(image))[None]))
