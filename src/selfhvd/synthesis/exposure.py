"""One frame of a made clip, and what it should have been."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt8


@dataclass(frozen=True)
class Exposure:
    """One frame of the clip and what it should have been."""

    frame: UInt8[np.ndarray, "height width 3"]
    truth: UInt8[np.ndarray, "height width 3"]
    """The middle sub-frame, without noise."""
    count: int
    """n_i: sub-frames averaged; 1 = sharp."""
    blur: float = 0.0
    """Pixels between the two most distant places where a point of the background stood during the exposure, mean over
    the view; 0 also where the motion is not known."""
    scene: int = 0
    """Frames of different scenes show different places: no flow leads from one to the other."""
    matrices: Float[np.ndarray, "layer rows 3"] = field(default_factory=lambda: np.zeros((0, 2, 3)))
    """For each layer, the background first, the map (affine: 2 rows; homography: 3) from pixels of the truth to pixels
    of the picture that it shows; none where the scene is not a picture of ours."""
    seen: UInt8[np.ndarray, "height width"] | None = None
    """Number of the layer that the truth shows in the middle of each row's exposure; None where it is not known."""
