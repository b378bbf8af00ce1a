"""Where was the camera half way through the exposure? A sharp image, blurred until it looks like the blurry one, tells.

A blurred frame matched to a sharp one as it is tells where the image stood on average; under a shake that speeds up or
turns, the middle of the exposure lies elsewhere. Ours, not the paper's (docs/ablations.md#flow.shutter).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.homography import Homography, zoomed
from selfhvd.ops.light import GAMMA

Light = Float[np.ndarray, "height width"]
"""Linear, in [0, 1], mean of the channels."""
Sampled = Float[np.ndarray, "row column"]
"""Values at the places on a grid, coarser than the pixels, where images are compared."""
Known = Bool[np.ndarray, "row column"]
Motion = Float[np.ndarray, "kind=4"]
"""Pixels of shift right, shift down, rotation and growth, the last two as seen half a diagonal from the centre."""

_SIDES = (120, 240, 720)
"""Longer side of the images, coarse to fine, at most."""
_ROUNDS = (10, 8, 4)
_SAMPLES = 120
"""Places along the longer side at which images are compared: they must be fine, the places need not be many
(docs/ablations.md#shutter.exact)."""
_JUDGED = 1
"""Level at which a path is believed or not."""
_TRIED = (0.5, 1.5, 3.0, 6.0, 10.0)
"""Lengths of straight paths tried first, coarse pixels, in eight directions each."""
_ODDITY = 0.5
"""Acceleration that is as likely as not, as part of the speed."""
_DARK = 0.01
"""Light, 0..1, from which on a difference counts as much as it is seen, in codes: there noise and coding errors are
even, in light they grow with it (docs/ablations.md#shutter.light)."""
_LEAST_REACH = 1.5
"""Pixels of the level that judges; a shorter path hides no part of a pixel that could be told from noise."""
_LONGEST = 0.3
"""Of the diagonal: a longer path in one exposure is no hand's (docs/ablations.md#shutter._LONGEST)."""
_TURNING = 3.0
"""Acceleration, in multiples of the speed, beyond which the middle of a path is guesswork
(docs/ablations.md#shutter._TURNING)."""
_LIKELY = 0.7
"""Part of the pixels that is looked at to judge a path, the best ones: what moves on its own does not count."""
_LEFT = 0.6
"""Part of the disagreement without motion that a believed path leaves there at most."""
_STRANGE = 0.003
"""Disagreement (1 - correlation) from which on the images do not show the same (docs/ablations.md#shutter._STRANGE)."""


@dataclass(frozen=True)
class Path:
    """How the image moved while the shutter was open: p + τ · velocity + τ²/2 · acceleration, τ from -½ to ½."""

    middle: Homography
    """From pixels of the blurry image, half way through, to pixels of the sharp one."""
    velocity: Motion
    """Pixels an exposure."""
    acceleration: Motion
    """Pixels an exposure, squared."""

    @staticmethod
    def still(middle: Homography) -> "Path":
        """No motion at all."""
        return Path(middle, np.zeros(4, np.float32), np.zeros(4, np.float32))

    @property
    def reach(self) -> float:
        """How far the image's worst place gets in an exposure at even speed, pixels (about)."""
        return _size(self.velocity)

    @property
    def length(self) -> float:
        """The same with the way there and back that the acceleration adds."""
        return self.reach + _size(self.acceleration) / 4

    def is_like(self, other: "Path") -> bool:
        """Whether both blur alike: the same way, there or back, to a pixel; no motion at all is no way."""
        there, back = (_size(self.velocity - sign * other.velocity) for sign in (1, -1))
        return min(self.reach, other.reach) > 0 and min(there, back) < 1

    def blurred(self, image: Float[Tensor, "1 3 height width"]) -> Float[Tensor, "1 3 height width"]:
        """`image`, sharp and on the blurry one's grid, as the open shutter would have seen it; RGB in [0, 1]."""
        if self.reach == 0:
            return image
        height, width = image.shape[-2:]
        linear = image[0].clamp(0, 1).pow(GAMMA).permute(1, 2, 0).cpu().contiguous().numpy()
        seen = sum(_seen(linear, _displaced(way, (width, height)), (width, height)) for _, way in self.instants())
        codes = torch.from_numpy(seen / _instants(self.reach)).pow(1 / GAMMA)
        return codes.permute(2, 0, 1)[None].to(image)

    def instants(self) -> Iterator[tuple[float, Motion]]:
        """τ and how the image has moved then, at moments spread over the exposure."""
        count = _instants(self.reach)
        for k in range(count):
            tau = (k + 0.5) / count - 0.5
            yield tau, tau * self.velocity + 0.5 * tau * tau * self.acceleration


def light(image: Float[Tensor, "1 3 height width"]) -> Light:
    """What an open shutter adds up; RGB in [0, 1] in.

    Channel by channel: a mean of codes made linear does not add up like light, and an edge between colours would seem
    to have moved (docs/ablations.md#shutter.light).
    """
    linear = image[0].clamp(0, 1).pow(GAMMA).mean(dim=0)
    return linear.cpu().numpy().astype(np.float32)


def find_path(blurry: Light, sharp: Light, start: Homography, known: Path | None = None) -> Path | None:
    """The path on which `sharp` becomes `blurry`; None where none explains it better than none.

    `start` leads from pixels of `blurry` to pixels of `sharp` and may miss by as much as the blur is long. Robust
    Gauss-Newton on homography, velocity, acceleration, gain and offset together, in linear light, coarse to fine. Of a
    path that is `known` from another sharp image only the middle is looked for.
    """
    path = Path.still(start) if known is None else replace(known, middle=start)
    for level, rounds in enumerate(_ROUNDS):
        fit, zoom, factor = _level(blurry, sharp, level)
        scaled = _rescaled(path, zoom, factor)
        found = fit.refined(fit.guessed(scaled) if path.reach == 0 else scaled, rounds, moving=known is None)
        if found is None:
            return path if level > _JUDGED else None
        if level == _JUDGED and (found.reach < _LEAST_REACH or not fit.explains(found)):
            return None
        path = _rescaled(found, np.linalg.inv(zoom), 1 / factor)
    return path


def find_camera(first: Light, second: Light, start: Homography) -> Homography:
    """`start`, from pixels of `first` to pixels of `second`, made exact; itself where that fails.

    For images blurred alike, and right to a pixel or so at the start. The same fit as `find_path`, without the path.
    """
    fit, zoom, factor = _level(first, second, len(_SIDES) - 1)
    begun = _rescaled(Path.still(start), zoom, factor)
    found = fit.refined(begun, _ROUNDS[-1], moving=False)
    if found is None or not fit.nearer(found, begun):
        return start
    return _rescaled(found, np.linalg.inv(zoom), 1 / factor).middle


def _level(blurry: Light, sharp: Light, level: int) -> "tuple[_Fit, Homography, float]":
    """Two images reduced to a level's size, the way from full to reduced pixels, and their ratio."""
    height, width = blurry.shape
    part = min(1.0, _SIDES[level] / max(height, width))
    size = (max(8, round(width * part)), max(8, round(height * part)))
    small = [cv2.GaussianBlur(cv2.resize(x, size, interpolation=cv2.INTER_AREA), (0, 0), 0.7) for x in (blurry, sharp)]
    return _Fit(*small), zoomed(size, (width, height)), size[0] / width


class _Fit:
    """Two reduced images in linear light, and how well a path leads from one to the other, at places on a grid."""

    def __init__(self, blurry: Light, sharp: Light) -> None:
        height, width = blurry.shape
        step = max(1, round(max(height, width) / _SAMPLES))
        places = np.s_[step // 2 :: step, step // 2 :: step]
        self.sharp, self.blurry = sharp, np.ascontiguousarray(blurry[places])
        self.steepness = np.maximum(self.blurry, _DARK) ** (1 / GAMMA - 1)
        self.size = (width, height)
        self.at = np.array([[step, 0, step // 2], [0, step, step // 2], [0, 0, 1.0]])
        self.unit = 0.5 * math.hypot(height, width)
        across, along = ((np.arange(step // 2, side, step) - (side - 1) / 2) / self.unit for side in (width, height))
        x, y = (axis.astype(np.float32) for axis in np.meshgrid(across, along))
        one, none = np.ones_like(x), np.zeros_like(x)
        self.moves = np.array([(one, none), (none, one), (-y, x), (x, y)], np.float32)
        tilts = [(x, none), (y, none), (none, x), (none, y), (x * x, x * y), (x * y, y * y)]
        self.poses = np.array([(one, none), (none, one), *tilts], np.float32)
        to_unit = [[1 / self.unit, 0, -(width - 1) / 2 / self.unit], [0, 1 / self.unit, -(height - 1) / 2 / self.unit]]
        self.to_unit = np.array([*to_unit, [0, 0, 1]])
        inner = np.zeros(blurry.shape, bool)
        inner[2:-2, 2:-2] = True
        self.inner = inner[places]

    def guessed(self, path: Path) -> Path:
        """Of straight paths of several lengths and directions the one that misses least."""
        turns = [np.pi * k / 8 for k in range(8)]
        ways = [np.array([r * np.cos(t), r * np.sin(t), 0, 0], np.float32) for r in _TRIED for t in turns]
        brought = self._brought(path.middle)
        missing = [self._mean_error(*self._blurred(brought, replace(path, velocity=way))[:2]) for way in ways]
        return replace(path, velocity=ways[int(np.argmin(missing))])

    def refined(self, path: Path, rounds: int, moving: bool = True) -> Path | None:
        """Gauss-Newton with Cauchy weights; None where the images hardly overlap or nothing can be solved for.

        `moving`: velocity and acceleration are looked for, too.
        """
        unknown = np.r_[0 : 16 if moving else 8, 16:18]
        gain, offset = 1.0, 0.0
        for _ in range(rounds):
            synthetic, seen, slopes = self._blurred(self._brought(path.middle, slopes=True), path)
            if seen.mean() < 0.2:
                return None
            steep = self.steepness[seen]
            rest = steep * (self.blurry - gain * synthetic - offset)[seen]
            spread = 1.4826 * float(np.median(np.abs(rest))) + 1e-5
            weight = 1 / (1 + (rest / (3 * spread)) ** 2)
            fields = [(slopes[0], self.poses), (slopes[1], self.moves), (slopes[2], self.moves)][: 3 if moving else 1]
            columns = [gain * (s[..., 0] * f[0] + s[..., 1] * f[1])[seen] for s, basis in fields for f in basis]
            jacobian = steep * np.stack([*columns, synthetic[seen], np.ones_like(rest)])
            # torch: its threads are the ones that the run was given.
            weighted, plain = torch.from_numpy(jacobian * weight), torch.from_numpy(jacobian)
            matrix, right = (weighted @ plain.T).numpy(), (weighted @ torch.from_numpy(rest)).numpy()
            strength, pull = (known[unknown] for known in self._prior(path, spread))
            matrix = matrix + np.diag(strength + 1e-3 * np.diag(matrix))
            step = np.zeros(18)
            try:
                step[unknown] = np.linalg.solve(matrix, right - strength * pull)
            except np.linalg.LinAlgError:
                return None
            middle = path.middle @ self._tilted(step[:8])
            path = Path(
                middle / middle[2, 2],
                (path.velocity + step[8:12]).astype(np.float32),
                (path.acceleration + step[12:16]).astype(np.float32),
            )
            gain, offset = gain + float(step[16]), offset + float(step[17])
            if not np.isfinite(step).all() or path.reach > 2 * self.unit:
                return None
            if np.abs(step[:16]).max() < 0.004:
                break
        return path

    def explains(self, path: Path) -> bool:
        """Whether a hand may move so, and the images are nearer to each other with that motion than without."""
        if path.length > 2 * _LONGEST * self.unit or _size(path.acceleration) > _TURNING * path.reach:
            return False
        brought = self._brought(path.middle)
        moving, still = (self._disagreement(*self._blurred(brought, p)[:2]) for p in (path, Path.still(path.middle)))
        return moving < min(_STRANGE, _LEFT * still)

    def nearer(self, path: Path, other: Path) -> bool:
        """Whether `path` brings the images nearer to each other than `other` does."""
        ours, theirs = (self._disagreement(*self._blurred(self._brought(p.middle), p)[:2]) for p in (path, other))
        return ours < theirs

    def _disagreement(self, synthetic: Sampled, seen: Known) -> float:
        """1 - correlation of the places that agree best; neither gain nor offset changes it; 0 is the same image."""
        if seen.mean() < 0.2:
            return math.inf
        ours, theirs = synthetic[seen], self.blurry[seen]
        for _ in range(2):
            if min(ours.std(), theirs.std()) < 1e-4:
                return math.inf
            rest = np.abs(np.polyval(np.polyfit(ours, theirs, 1), synthetic[seen]) - self.blurry[seen])
            likely = rest <= np.quantile(rest, _LIKELY)
            ours, theirs = synthetic[seen][likely], self.blurry[seen][likely]
        return 1 - float(np.corrcoef(ours, theirs)[0, 1]) if min(ours.std(), theirs.std()) > 1e-4 else math.inf

    def _mean_error(self, synthetic: Sampled, seen: Known) -> float:
        """In linear light, between the blurry image and the blurred sharp one."""
        return float(np.abs(synthetic - self.blurry)[seen].mean()) if seen.mean() > 0.2 else math.inf

    def _brought(self, middle: Homography, slopes: bool = False) -> Float[np.ndarray, "height width plane"]:
        """The sharp image on the blurry one's grid, where it is known (0..1), and on demand its slopes."""
        how = cv2.WARP_INVERSE_MAP
        image = cv2.warpPerspective(
            self.sharp, middle, self.size, flags=cv2.INTER_CUBIC | how, borderMode=cv2.BORDER_REPLICATE
        )
        known = cv2.warpPerspective(np.ones_like(self.sharp), middle, self.size, flags=cv2.INTER_LINEAR | how)
        steps = [cv2.Sobel(image, cv2.CV_32F, *axis, ksize=3, scale=1 / 8) for axis in ((1, 0), (0, 1)) if slopes]
        return np.dstack([image, known, *steps])

    def _blurred(
        self, brought: Float[np.ndarray, "height width plane"], path: Path
    ) -> tuple[Sampled, Known, list[Float[np.ndarray, "row column axis"]]]:
        """The mean over the path, where all of it is known, and the slopes' means weighted by 1, τ and τ²/2."""
        total = np.zeros((*self.blurry.shape, brought.shape[2]), np.float32)
        slopes = [np.zeros_like(total[..., 2:]) for _ in range(3)]
        size = (self.blurry.shape[1], self.blurry.shape[0])
        for tau, way in path.instants():
            seen = _seen(brought, _displaced(way, self.size) @ self.at, size)
            total += seen
            for held, factor in zip(slopes, (1.0, tau, 0.5 * tau * tau), strict=True):
                held += factor * seen[..., 2:]
        count = _instants(path.reach)
        total /= count
        return total[..., 0], (total[..., 1] > 0.999) & self.inner, [held / count for held in slopes]

    def _prior(self, path: Path, spread: float) -> tuple[Float[np.ndarray, "18"], Float[np.ndarray, "18"]]:
        """Strength and pull of what is known before: little acceleration beside the speed, little turning."""
        strength, pull = np.full(18, (spread / 50) ** 2), np.zeros(18)
        pixel = self.unit / (0.57 * _SIDES[_JUDGED])
        strength[12:16] = (spread / (_ODDITY * (path.reach + 0.5 * pixel))) ** 2
        strength[10:12] = (spread / pixel) ** 2
        pull[10:12], pull[12:16] = path.velocity[2:], path.acceleration
        return strength, pull

    def _tilted(self, step: Float[np.ndarray, "8"]) -> Homography:
        """The homography p -> p + Σ step · pose, to first order."""
        shift, tilt = step[:2] / self.unit, step[2:] / self.unit
        small = np.array([[1 + tilt[0], tilt[1], shift[0]], [tilt[2], 1 + tilt[3], shift[1]], [-tilt[4], -tilt[5], 1]])
        return np.linalg.inv(self.to_unit) @ small @ self.to_unit


def _size(motion: Motion) -> float:
    return math.hypot(*motion[:2]) + math.hypot(*motion[2:])


def _instants(reach: float) -> int:
    """Moments at which an exposure with a path of `reach` pixels is looked at."""
    return int(np.clip(2 * math.ceil(reach / 4) + 3, 5, 25))


def _displaced(motion: Motion, size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """From pixels of an image of `size` (width, height) to where `motion` takes them."""
    (right, down, turn, growth), (x, y) = motion.tolist(), ((side - 1) / 2 for side in size)
    turn, growth = (part / (0.5 * math.hypot(*size)) for part in (turn, growth))
    across, along = right - growth * x + turn * y, down - turn * x - growth * y
    return np.array([[1 + growth, -turn, across], [turn, 1 + growth, along], [0, 0, 1]])


def _seen(
    planes: Float[np.ndarray, "height width plane"], places: Float[np.ndarray, "3 3"], size: tuple[int, int]
) -> Float[np.ndarray, "row column plane"]:
    """What is where `places` leads from the pixels of an image of `size`."""
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(planes, places[:2], size, flags=how, borderMode=cv2.BORDER_REPLICATE)


def _rescaled(path: Path, zoom: Homography, factor: float) -> Path:
    middle = zoom @ path.middle @ np.linalg.inv(zoom)
    factor32 = np.float32(factor)
    return Path(middle / middle[2, 2], path.velocity * factor32, path.acceleration * factor32)
