"""Select the sharp frames of a clip: variance of Laplacian (Eq. 1), Otsu, and the best of each bare segment."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch.nn.functional as F
from jaxtyping import Bool, Float
from scipy.ndimage import maximum_filter1d
from skimage.filters import threshold_otsu
from skimage.measure import blur_effect as skimage_blur_effect
from torch import Tensor

from selfhvd.frames import Frames
from selfhvd.ops.sharpness import detail_growth, laplacian_variance

_NEARBY = 10
"""Frames on each side that a frame's sharpness is compared with."""
_MODEL_SHARE = 0.9
_PATIENCE = 16.0
"""Frames of distance that cost a sharp frame a factor e of its worth as a guide (ours: against taking the nearest this
gained 0.2 to 0.5 dB on three held-out clips of four and lost 0.1 on one)."""
_REACH = 60
"""Frames beyond which a sharp frame is no guide."""
_BLUR_SAMPLES = 12
"""Frames, about, whose `blur_effect` is measured."""
_LEAST_BLUR_SIDE = 4
"""Pixels; smaller frames have no blur to measure and count as blurry."""
_LEAST_KEYS = 3
"""Fewer key frames say nothing about how key frames differ from others."""

Verdict = Literal["mixed", "all-sharp", "none-sharp"]


@dataclass(frozen=True)
class SharpConfig:
    """How sharp frames are told from blurry ones."""

    segment: int = 20
    """Frames a segment (paper: 20; 5, 10 and 30 are its ablation)."""
    class_ratio: float = 1.5
    """Otsu always splits. There are two classes only where the mean score above its threshold is at least so many
    times the mean below it, and where"""
    dip: float = 0.6
    """some frames (one in ten) score less than this share of the best within ten frames of them: a clip whose scene
    slowly changes from plain to rich also splits, but it does not dip. Both derived; the paper is silent."""
    blurry_above: float = 0.37
    """A clip of one class is blurry where the median `blur_effect` of its frames is above this (derived; on real
    clips sharp ones have 0.27 to 0.36, blurry ones 0.38 to 0.50)."""
    noisy_below: float = 1.38
    """Where detail grows by less than this from full to half the size (median over the frames), some of it is noise, as
    at night (derived: of nineteen synthetic night clips eleven have 0.59 to 1.36, three 1.57 to 1.92, and five are too
    dark and smooth to tell; ten others 1.41 to 1.98, twelve real ones 1.43 to 2.83)."""
    halved_below: float = 1.2
    """Where it grows by less than this, so much is noise that v_l is measured at half the size (derived: of night clips
    with 0.59 and 1.18 the blurry frames gained 1.7 and about 0.4 dB by it, with 1.31 they lost 0.3)."""


@dataclass(frozen=True)
class Selection:
    """Which frames of a clip are sharp, and why."""

    sharpness: tuple[float, ...]
    """v_l of each frame as measured (Eq. 1), see `halved`."""
    scores: tuple[float, ...]
    """v_l with the pulse of key frames taken out: what the threshold is laid on."""
    threshold: float
    """Of several scenes the mean over their frames."""
    sharp: tuple[int, ...]
    """S: indices of the chosen frames, ascending."""
    by_segment: tuple[int, ...]
    """Those of them below the threshold, chosen as the best of a segment that has none."""
    verdict: Verdict
    cuts: tuple[int, ...] = ()
    """First frames of the scenes after the first."""
    thresholds: tuple[float, ...] = ()
    """Of each scene, where there are several."""
    noisy: bool = False
    """Whether the clip is; then no frame is a model."""
    halved: bool = False
    """Whether `sharpness` was measured at half the size, because of noise."""

    @property
    def ratio(self) -> float:
        """Share of the frames at or above the threshold, 0..1."""
        return (len(self.sharp) - len(self.by_segment)) / len(self.sharpness)

    def is_sharp(self, index: int) -> bool:
        """Whether frame `index` passed the threshold (a segment's best that did not pass is still blurry)."""
        return index in self.sharp and index not in self.by_segment

    def nearest(self, index: int) -> int:
        """ψ(i) of Eq. 2: the sharp frame nearest in time; of two the earlier."""
        return min(self.sharp, key=lambda j: (abs(j - index), j))

    def is_model(self, index: int) -> bool:
        """Whether frame `index` is sharp, hardly less so than the best within ten frames, and not noisy."""
        nearby = self.scores[max(0, index - _NEARBY) : index + _NEARBY + 1]
        return not self.noisy and self.is_sharp(index) and self.scores[index] >= _MODEL_SHARE * max(nearby)

    def around(self, index: int, each_side: int) -> tuple[int, ...]:
        """The sharp frames to learn from around `index`, never itself: before, after, second before, second after, ...

        Of each side those come first whose sharpness best outweighs their distance in time, which makes alignment
        harder. Always 2 * `each_side` long; -1 where there is none.
        """

        def worth(j: int) -> float:
            return -self.scores[j] * math.exp(-abs(j - index) / _PATIENCE)

        before = sorted((j for j in self.sharp if index - _REACH <= j < index), key=worth)
        after = sorted((j for j in self.sharp if index < j <= index + _REACH), key=worth)
        padded = [side[:each_side] + [-1] * (each_side - len(side)) for side in (before, after)]
        return tuple(j for pair in zip(*padded, strict=True) for j in pair)


def find_sharp(
    frames: Frames,
    keyframes: Sequence[bool],
    config: SharpConfig = SharpConfig(),
    on_frame: Callable[[int, int], None] = lambda done, total: None,
) -> Selection:
    """Measure every frame of a clip, one after the other, and choose its sharp ones."""
    every = max(1, len(frames) // _BLUR_SAMPLES)
    whole: list[float] = []
    halved: list[float] = []
    growth: list[float] = []
    blur: list[float] = []
    for i in range(len(frames)):
        frame = frames.tensor(i)
        # The 8-bit frame, whatever the source's depth.
        shown = (255 * frame[None]).round() / 255
        whole.append(float(laplacian_variance(shown)))
        halved.append(float(laplacian_variance(_halved(shown))))
        growth.append(float(detail_growth(shown)))
        if i % every == 0:
            blur.append(blur_effect(frame))
        on_frame(i + 1, len(frames))
    typical = float(np.median(growth))
    reduced = typical < config.halved_below
    found = select_sharp(halved if reduced else whole, keyframes, blur, config)
    return replace(found, noisy=typical < config.noisy_below, halved=reduced)


def _halved(image: Float[Tensor, "1 3 height width"]) -> Float[Tensor, "1 3 h w"]:
    """Means of two by two pixels, where there are so many."""
    return F.avg_pool2d(image, 2) if min(image.shape[-2:]) >= _LEAST_BLUR_SIDE else image


def select_sharp(
    sharpness: Sequence[float],
    keyframes: Sequence[bool],
    blur: Sequence[float],
    config: SharpConfig = SharpConfig(),
) -> Selection:
    """Choose S from the v_l of every frame of the whole video.

    Args:
        sharpness: v_l of each frame.
        keyframes: whether the codec coded the frame on its own; such frames look sharper than they are.
        blur: `blur_effect` of some frames; decides between all sharp and none sharp when there is one class only.
        config: thresholds.
    """
    scores = without_key_pulse(np.asarray(sharpness, dtype=float), np.asarray(keyframes, dtype=bool))
    # scikit-image gives the centre of the lower class's last of 256 bins; the class ends half a bin above it.
    threshold = float(threshold_otsu(scores) + np.ptp(scores) / 512) if np.ptp(scores) > 0 else float(scores[0])
    above = scores > threshold if np.ptp(scores) > 0 else np.ones(scores.size, dtype=bool)
    verdict: Verdict = "mixed"
    if not _two_classes(scores, above, config):
        verdict = "all-sharp" if float(np.median(np.asarray(blur))) < config.blurry_above else "none-sharp"
        above = np.full(scores.size, verdict == "all-sharp")
    picks = _segment_picks(scores, above, config.segment)
    chosen = sorted({*np.flatnonzero(above).tolist(), *picks})
    return Selection(tuple(map(float, sharpness)), tuple(scores.tolist()), threshold, tuple(chosen), picks, verdict)


def without_key_pulse(
    sharpness: Float[np.ndarray, " frame"], keyframes: Bool[np.ndarray, " frame"]
) -> Float[np.ndarray, " frame"]:
    """Divide the key frames' v_l by their typical lead over their neighbours, where they have one.

    An encoder spends more bits on a key frame than on the frames predicted from it, so its Laplacian is stronger at
    equal sharpness. The lead is the median over key frames of v_l / mean(v_l of both neighbours); it is removed only
    when above 1.
    """
    inner = [i for i in np.flatnonzero(keyframes) if 0 < i < sharpness.size - 1]
    inner = [i for i in inner if not keyframes[i - 1] and not keyframes[i + 1]]
    if len(inner) < _LEAST_KEYS:
        return sharpness
    lead = float(np.median([2 * sharpness[i] / max(sharpness[i - 1] + sharpness[i + 1], 1e-9) for i in inner]))
    return np.where(keyframes, sharpness / max(lead, 1.0), sharpness)


def blur_effect(image: Float[Tensor, "3 height width"], longest: int = 480) -> float:
    """Perceptual blur, 0 (sharp) to 1, by re-blurring (Crete et al. 2007), on the frame reduced to `longest` pixels."""
    if min(image.shape[-2:]) < _LEAST_BLUR_SIDE:
        return 1.0
    scale = min(1.0, max(longest / max(image.shape[-2:]), 2 * _LEAST_BLUR_SIDE / min(image.shape[-2:])))
    small = (
        F.interpolate(image[None], scale_factor=scale, mode="bilinear", antialias=True) if scale < 1 else image[None]
    )
    return float(np.asarray(skimage_blur_effect(small[0].mean(dim=0).numpy())))


def _two_classes(scores: Float[np.ndarray, " frame"], above: Bool[np.ndarray, " frame"], config: SharpConfig) -> bool:
    if above.all() or not above.any():
        return False
    best_nearby = maximum_filter1d(scores, size=2 * _NEARBY + 1)
    dips = float(np.percentile(scores / np.maximum(best_nearby, 1e-9), 10)) < config.dip
    apart = float(scores[above].mean()) >= config.class_ratio * max(float(scores[~above].mean()), 1e-9)
    return dips and apart


def _segment_picks(
    scores: Float[np.ndarray, " frame"], above: Bool[np.ndarray, " frame"], segment: int
) -> tuple[int, ...]:
    starts = range(0, scores.size, segment)
    bare = [a for a in starts if not above[a : a + segment].any()]
    return tuple(a + int(np.argmax(scores[a : a + segment])) for a in bare)
