"""Select the sharp frames: v_l (Eq. 1), Otsu's threshold over the clip, the best of each bare segment; ψ(i) (Eq. 2)."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from skimage.filters import threshold_otsu
from torch import Tensor

from selfhvd.ops.resize import plain


def laplacian_variance(image: Float[Tensor, "batch channel height width"]) -> Float[Tensor, " batch"]:
    """v_l(I) = var(I * [[0, 1, 0], [1, -4, 1], [0, 1, 0]]) over all pixels and channels, on values of 0..255.

    `image` is in [0, 1]. Borders are mirrored without repeating the edge (OpenCV's default), all channels count
    together as in the authors' script; pass one channel for the grey variant.
    """
    batch, channel, height, width = image.shape
    if plain(image) and min(height, width) > 1:
        return torch.from_numpy(np.array([_variance(planes) for planes in image.numpy()], np.float32))
    planes = (255 * image).reshape(batch * channel, 1, height, width)
    padded = (
        F.pad(planes, (1, 1, 1, 1), mode="reflect")
        if min(height, width) > 1
        else F.pad(planes, (1, 1, 1, 1), mode="replicate")
    )
    centre = padded[..., 1:-1, 1:-1]
    laplacian = (
        padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1] + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:] - 4 * centre
    )
    return laplacian.reshape(batch, -1).var(dim=1, correction=0)


def _variance(planes: Float[np.ndarray, "channel height width"]) -> float:
    """Of the Laplacian of all channels together, by OpenCV: on a CPU in a third of torch's time."""
    found = [cv2.meanStdDev(cv2.Laplacian(plane, cv2.CV_32F, scale=255)) for plane in planes]
    means, spreads = (np.array([float(part[n][0, 0]) for part in found]) for n in (0, 1))
    return float((spreads**2).mean() + means.var())


def select(scores: Float[np.ndarray, " frame"], segment: int) -> Bool[np.ndarray, " frame"]:
    """S: which frames are chosen by v_l, those above Otsu's threshold and the best of each segment that has none."""
    above = otsu(scores)[1]
    return above | best_of_bare_segments(scores, above, segment)


def otsu(scores: Float[np.ndarray, " frame"]) -> tuple[float, Bool[np.ndarray, " frame"]]:
    """Otsu's threshold over the scores, and which of them are above it; equal ones all are."""
    if np.ptp(scores) == 0:
        return float(scores[0]), np.ones(scores.size, dtype=bool)
    # scikit-image gives the centre of the lower class's last of 256 bins; the class ends half a bin above it.
    threshold = float(threshold_otsu(scores) + np.ptp(scores) / 512)
    return threshold, scores > threshold


def best_of_bare_segments(
    scores: Float[np.ndarray, " frame"], chosen: Bool[np.ndarray, " frame"], segment: int
) -> Bool[np.ndarray, " frame"]:
    """The best frame of each segment in which none is chosen."""
    picks = np.zeros_like(chosen)
    for start in range(0, scores.size, segment):
        if not chosen[start : start + segment].any():
            picks[start + int(np.argmax(scores[start : start + segment]))] = True
    return picks


def nearest(sharp: Sequence[int], index: int) -> int:
    """ψ(i) of Eq. 2: the frame of S nearest in time; of two the earlier."""
    return min(sharp, key=lambda j: (abs(j - index), j))
