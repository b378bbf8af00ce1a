"""Select the sharp frames of a clip, and tell which frames need nothing.

The paper's rule, `otsu`: variance of the Laplacian (Eq. 1), Otsu's threshold over the clip, and the best of each bare
segment. Ours, `blur`: frames smeared by less than a pixel and a half, see `extensions.blur`, and the least smeared
around.
What comes back as it came is told by blur under either rule, frame by frame.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.errors import UsageError
from selfhvd.extensions.blur import BlurMeter, Look, look_at
from selfhvd.method.sharp_frames import best_of_bare_segments, laplacian_variance, nearest, otsu, select
from selfhvd.ops.detail import detail_growth
from selfhvd.ops.resize import halved
from selfhvd.system.ahead import ahead
from selfhvd.video.frame_source import Frames

_PATIENCE = 16.0
"""Frames of distance that cost a sharp frame a factor e of its worth as a guide, for distance makes alignment harder
(ours; docs/ablations.md#sharp._PATIENCE)."""
_REACH = 60
"""Frames beyond which a sharp frame is no guide, and what is blurred is another matter."""
_LEAST_HALVED_SIDE = 4
"""Pixels; smaller frames are not halved."""
_LEAST_KEYS = 3
"""Fewer key frames say nothing about how key frames differ from others."""

Verdict = Literal["mixed", "all-sharp", "none-sharp"]
Rule = Literal["blur", "otsu"]
Which = Literal["auto", "blurry", "all"]
"""Which frames are restored: those that are blurred and those among them, only those that are blurred, or all."""
WHICH: tuple[Which, ...] = get_args(Which)


@dataclass(frozen=True)
class SharpConfig:
    """How sharp frames are told from blurry ones."""

    rule: Rule = "blur"
    """What sharp frames are chosen by: ours, or the paper's threshold on v_l."""
    corrected: bool = True
    """Take the pulse of key frames out of v_l, and noise by measuring at half the size; off: as measured (paper)."""
    segment: int = 20
    """Frames a segment (paper: 20; 5, 10 and 30 are its ablation)."""
    named: tuple[int, ...] = ()
    """Numbers of the sharp frames, from 0, where a person has named them; the rule is then not asked."""
    blurred_above: float = 1.5
    """Pixels; a frame smeared by more is no sharp one."""
    restored_above: float = 1.2
    """Pixels; a frame smeared by more is never left as it came. Below `blurred_above`, for lengths are estimates
    (docs/ablations.md#sharp.restored_above)."""
    shaken_share: float = 0.05
    """Share of blurred frames within sixty frames, 0..1, above which every frame is restored with them, so that noise
    and coding marks do not come and go (docs/ablations.md#sharp.shaken_share)."""
    noise: tuple[float, float] = (1.48, 1.28)
    """Growth of detail from full to half the size (median over the frames) at which a clip begins to count as noisy,
    and at which it wholly does: a picture's detail grows, that of noise is halved (derived;
    docs/ablations.md#sharp.noise)."""
    halved: tuple[float, float] = (1.3, 1.1)
    """Growth of detail at which sharp frames begin to be ranked by v_l at half the size, and at which they wholly are,
    for noise counts in v_l as detail does (derived; docs/ablations.md#sharp.halved)."""
    finest: tuple[float, float] = (0.8, 1.2)
    """Codes (0..255) of the finest detail, median over the frames, up to which its growth says nothing, for rounding
    gives as much to a dark smooth clip, and from which on it does."""


@dataclass(frozen=True)
class Selection:
    """Which frames of a clip are sharp, and why."""

    sharpness: tuple[float, ...]
    """v_l of each frame as measured (Eq. 1)."""
    scores: tuple[float, ...]
    """v_l with the pulse of key frames taken out, and against noise as far as `halved` at half the size: what sharp
    frames are ranked by, and the paper's threshold is laid on."""
    threshold: float
    """Otsu's; of several scenes the mean over their frames."""
    sharp: tuple[int, ...]
    """S: indices of the chosen frames, ascending."""
    by_segment: tuple[int, ...]
    """Those of them that are blurred and stand in, as the best of a segment or, by our rule, of the clip."""
    verdict: Verdict
    """`all-sharp`: nothing needs restoring; `none-sharp`: no frame is sharp."""
    cuts: tuple[int, ...] = ()
    """First frames of the scenes after the first."""
    thresholds: tuple[float, ...] = ()
    """Of each scene, where there are several."""
    noise: float = 0.0
    """How much the clip counts as noisy, 0..1; of several scenes the most."""
    halved: float = 0.0
    """How much `scores` were measured at half the size, 0..1."""
    blur: tuple[float, ...] = ()
    """Pixels that each frame is smeared by; infinite where it cannot be told."""
    unblurred: tuple[bool, ...] = ()
    """Whether each frame is smeared by so little that it may come back as it came."""
    shaken: tuple[bool, ...] = ()
    """Whether blurred frames are so many around each that it is restored with them."""
    rule: Rule = "otsu"
    named: bool = False
    """Whether a person named the sharp frames."""

    @property
    def noisy(self) -> bool:
        """Whether the clip counts as noisy rather than not; for words only."""
        return self.noise >= 0.5

    def left(self, which: Which) -> tuple[bool, ...]:
        """Whether each frame comes back as it came, where `which` are restored."""
        if which == "all" or not self.unblurred:
            return (False,) * len(self.sharpness)
        if which == "blurry":
            return self.unblurred
        return tuple(clear and not among for clear, among in zip(self.unblurred, self.shaken, strict=True))

    @property
    def ratio(self) -> float:
        """Share of the frames at or above the threshold, 0..1."""
        return (len(self.sharp) - len(self.by_segment)) / len(self.sharpness)

    def is_sharp(self, index: int) -> bool:
        """Whether frame `index` passed the threshold (a segment's best that did not pass is still blurry)."""
        return index in self.sharp and index not in self.by_segment

    def nearest(self, index: int) -> int:
        """ψ(i) of Eq. 2: the sharp frame nearest in time; of two the earlier."""
        return nearest(self.sharp, index)

    def away(self, index: int) -> int:
        """Frames from frame `index` to the sharp frame nearest in time; 0 for that itself."""
        return abs(self.nearest(index) - index)

    @property
    def reach(self) -> int:
        """Frames before and after a frame in which `around` looks."""
        return _REACH

    def around(self, index: int, each_side: int) -> tuple[int, ...]:
        """The sharp frames to learn from around `index`, never itself: before, after, second before, second after, ...

        Of each side those come first whose sharpness best outweighs their distance in time, which makes alignment
        harder. Always 2 * `each_side` long; -1 where there is none.
        """
        padded = [side[:each_side] + [-1] * (each_side - len(side)) for side in self._sides(index)]
        return tuple(j for pair in zip(*padded, strict=True) for j in pair)

    def guiding(self, index: int, each_side: int) -> tuple[int, ...]:
        """The same, and where one side has fewer, more of the other, in the order of what they are worth there."""
        before, after = self._sides(index)
        more_before, more_after = (max(0, each_side - len(side)) for side in (after, before))
        sides = before[: each_side + more_before], after[: each_side + more_after]
        return tuple(j for pair in zip_longest(*sides) for j in pair if j is not None)

    def _sides(self, index: int) -> tuple[list[int], list[int]]:
        """The sharp frames before and after `index`, the worthiest first."""

        def worth(j: int) -> float:
            return -self.scores[j] * math.exp(-abs(j - index) / _PATIENCE)

        before = sorted((j for j in self.sharp if index - _REACH <= j < index), key=worth)
        after = sorted((j for j in self.sharp if index < j <= index + _REACH), key=worth)
        return before, after


def find_sharp(
    frames: Frames,
    keyframes: Sequence[bool],
    config: SharpConfig = SharpConfig(),
    on_frame: Callable[[int, int], None] = lambda done, total: None,
) -> Selection:
    """Measure every frame of a clip, one after the other, and choose its sharp ones.

    Raises:
        UsageError: `config` names a frame that the clip does not have.
    """
    meter, whole, halved = BlurMeter(), list[float](), list[float]()
    growth, finest = list[float](), list[float]()
    for i, (look, measured) in enumerate(ahead(lambda i: _measured(frames.tensor(i)), len(frames))):
        meter.see(look)
        for values, value in zip((whole, halved, growth, finest), measured, strict=True):
            values.append(value)
        on_frame(i + 1, len(frames))
    told = _ramp(float(np.median(finest)), config.finest)
    noise, coarse = (told * _ramp(float(np.median(growth)), ends) for ends in (config.noise, config.halved))
    coarse = coarse if config.corrected else 0.0
    ranked = [a ** (1 - coarse) * b**coarse for a, b in zip(whole, halved, strict=True)]
    found = select_sharp(ranked, keyframes, meter.lengths(), config)
    return replace(found, sharpness=tuple(whole), noise=noise, halved=coarse)


def _measured(frame: Float[Tensor, "3 height width"]) -> tuple[Look | None, tuple[float, float, float, float]]:
    """For the blur meter; and v_l, v_l at half the size, the growth of detail, and the finest detail, 0..255."""
    # The 8-bit frame, whatever the source's depth.
    shown = (255 * frame[None]).round() / 255
    found = laplacian_variance(shown), laplacian_variance(_halved(shown)), *detail_growth(shown)
    whole, halved, growth, finest = map(float, found)
    return look_at(frame), (whole, halved, growth, 255 * finest)


def _halved(image: Float[Tensor, "1 3 height width"]) -> Float[Tensor, "1 3 h w"]:
    """Means of two by two pixels, where there are so many."""
    return halved(image) if min(image.shape[-2:]) >= _LEAST_HALVED_SIDE else image


def _ramp(value: float, ends: tuple[float, float]) -> float:
    """0 at the first end and beyond it, 1 at the second."""
    return float(np.clip((ends[0] - value) / (ends[0] - ends[1]), 0, 1))


def select_sharp(
    sharpness: Sequence[float],
    keyframes: Sequence[bool],
    blur: Sequence[float],
    config: SharpConfig = SharpConfig(),
) -> Selection:
    """Choose S from what was measured of every frame of the whole video.

    Args:
        sharpness: v_l of each frame.
        keyframes: whether the codec coded the frame on its own; such frames look sharper than they are.
        blur: pixels that each frame is smeared by.
        config: rule and thresholds.
    """
    scores = np.asarray(sharpness, dtype=float)
    if config.corrected:
        scores = without_key_pulse(scores, np.asarray(keyframes, dtype=bool))
    lengths = np.asarray(blur, dtype=float)
    threshold, above = otsu(scores)
    if config.named:
        check_named(config.named, scores.size)
        sharp = chosen = np.isin(np.arange(scores.size), config.named)
        lengths = np.where(sharp, 0.0, np.maximum(lengths, 2 * config.blurred_above))
    elif config.rule == "otsu":
        sharp, chosen = above, select(scores, config.segment)
    else:
        sharp = lengths <= config.blurred_above
        chosen = sharp | (above & ~above.all())
        chosen = chosen | best_of_bare_segments(-lengths, chosen, config.segment)
    unblurred = lengths <= config.restored_above
    shaken = _share_around(lengths > config.blurred_above) > config.shaken_share
    return Selection(
        sharpness=tuple(map(float, sharpness)),
        scores=tuple(scores.tolist()),
        threshold=threshold,
        sharp=tuple(np.flatnonzero(chosen).tolist()),
        by_segment=tuple(np.flatnonzero(chosen & ~sharp).tolist()),
        verdict="all-sharp" if (unblurred & ~shaken).all() else "mixed" if sharp.any() else "none-sharp",
        blur=tuple(lengths.tolist()),
        unblurred=tuple(unblurred.tolist()),
        shaken=tuple(shaken.tolist()),
        rule=config.rule,
        named=bool(config.named),
    )


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


def check_named(numbers: Sequence[int], count: int) -> None:
    """Raise `UsageError` where a frame is named that a clip of `count` frames does not have."""
    beyond = [n for n in numbers if not 0 <= n < count]
    if beyond:
        raise UsageError(f"There is no frame {beyond[0]} to be named sharp; the clip has frames 0 to {count - 1}.")


def _share_around(flags: Bool[np.ndarray, " frame"]) -> Float[np.ndarray, " frame"]:
    return np.array([flags[max(0, n - _REACH) : n + _REACH + 1].mean() for n in range(flags.size)])
