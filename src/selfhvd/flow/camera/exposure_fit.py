"""Where was the camera half way through the exposure? A sharp image, blurred until it looks like the blurry one, tells.

A blurred frame matched to a sharp one as it is tells where the image stood on average; under a shake that speeds up or
turns, the middle of the exposure lies elsewhere. Ours, not the paper's (docs/ablations.md#flow.shutter).
"""

import math
from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float

from selfhvd.flow.camera import exposure_model as model
from selfhvd.flow.camera.exposure_path import (
    ExposureTrajectory,
    LinearLight,
    displacement,
    extent,
    instant_count,
    sampled,
)
from selfhvd.flow.camera.homography import Homography, likeness, zoomed
from selfhvd.ops.light import GAMMA

Sampled = Float[np.ndarray, "row column"]
"""Values at the places on a grid, coarser than the pixels, where images are compared."""
Known = Bool[np.ndarray, "row column"]

_NEARLY, _ENOUGH = 0.02, 0.004
"""Pixels; a step of less ends the search on a level, and on the finest."""

_POSE, _VELOCITY, _ACCELERATION, _GAIN, _OFFSET = slice(0, 8), slice(8, 12), slice(12, 16), 16, 17
_TURNING_AND_GROWTH = slice(10, 12)
_MOTION = slice(0, 16)
_UNKNOWNS = 18
"""Places in the vector that is solved for: the homography's eight poses, velocity and acceleration, gain and offset."""


def fit_trajectory(
    blurry: LinearLight, sharp: LinearLight, start: Homography, known: ExposureTrajectory | None = None
) -> ExposureTrajectory | None:
    """The path on which `sharp` becomes `blurry`; None where none explains it better than none.

    `start` leads from pixels of `blurry` to pixels of `sharp` and may miss by as much as the blur is long. Robust
    Gauss-Newton on homography, velocity, acceleration, gain and offset together, in linear light, coarse to fine. Of a
    path that is `known` from another sharp image only the middle is looked for.
    """
    path, factor = ExposureTrajectory.still(start) if known is None else replace(known, middle=start), 1.0
    for level, rounds in enumerate(model.ROUNDS):
        fit, zoom, factor = _level(blurry, sharp, level)
        scaled = _rescaled(path, zoom, factor)
        begun, finest = fit.guessed(scaled) if path.blur_extent == 0 else scaled, level == len(model.ROUNDS) - 1
        found = fit.refined(begun, rounds, moving=known is None, enough=_ENOUGH if finest else _NEARLY)
        if found is None or (finest and not fit.explains(found)):
            return None
        path = _rescaled(found, np.linalg.inv(zoom), 1 / factor)
    if known is not None:
        return path
    doubt = float(np.clip((model.CLEAR - factor * path.blur_extent) / (model.CLEAR - model.SHORT), 0, 1))
    return path.centred((blurry.shape[1], blurry.shape[0]), doubt)


def refine_homography(first: LinearLight, second: LinearLight, start: Homography) -> Homography:
    """`start`, from pixels of `first` to pixels of `second`, made exact; itself where that fails.

    For images blurred alike, and right to a pixel or so at the start: the fit of `fit_trajectory` without a motion.
    """
    fit, zoom, factor = _level(first, second, len(model.SIDES) - 1)
    begun = _rescaled(ExposureTrajectory.still(start), zoom, factor)
    found = fit.refined(begun, model.ROUNDS[-1], moving=False)
    if found is None or not fit.nearer(found, begun):
        return start
    return _rescaled(found, np.linalg.inv(zoom), 1 / factor).middle


def _level(blurry: LinearLight, sharp: LinearLight, level: int) -> "tuple[_Fit, Homography, float]":
    """Two images reduced to a level's size, the way from full to reduced pixels, and their ratio."""
    height, width = blurry.shape
    part = min(1.0, model.SIDES[level] / max(height, width))
    size = (max(8, round(width * part)), max(8, round(height * part)))
    small = [cv2.GaussianBlur(cv2.resize(x, size, interpolation=cv2.INTER_AREA), (0, 0), 0.7) for x in (blurry, sharp)]
    return _Fit(*small), zoomed(size, (width, height)), size[0] / width


class _Fit:
    """Two reduced images in linear light, and how well a path leads from one to the other, at places on a grid."""

    def __init__(self, blurry: LinearLight, sharp: LinearLight) -> None:
        height, width = blurry.shape
        step = max(1, round(max(height, width) / model.SAMPLES))
        places = np.s_[step // 2 :: step, step // 2 :: step]
        self.sharp, self.whole, self.places = sharp, blurry, places
        self.blurry = np.ascontiguousarray(blurry[places])
        self.steepness = np.maximum(self.blurry, model.DARK) ** (1 / GAMMA - 1)
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

    def guessed(self, path: ExposureTrajectory) -> ExposureTrajectory:
        """Of straight paths of several lengths and directions the one that misses least."""
        turns = [np.pi * k / 8 for k in range(8)]
        ways = [np.array([r * np.cos(t), r * np.sin(t), 0, 0], np.float32) for r in model.TRIED for t in turns]
        brought = self._brought(path.middle)
        missing = [self._mean_error(*self._blurred(brought, replace(path, velocity=way))[:2]) for way in ways]
        return replace(path, velocity=ways[int(np.argmin(missing))])

    def refined(
        self, path: ExposureTrajectory, rounds: int, moving: bool = True, enough: float = _ENOUGH
    ) -> ExposureTrajectory | None:
        """Gauss-Newton with Cauchy weights; None where the images hardly overlap or nothing can be solved for.

        `moving`: velocity and acceleration are looked for, too; `enough`: a step of less, in pixels, is the last.
        """
        unknown = np.r_[_MOTION if moving else _POSE, _GAIN, _OFFSET]
        gain, offset = 1.0, 0.0
        for _ in range(rounds):
            synthetic, seen, slopes = self._predicted(path, slopes=True)
            if seen.mean() < model.LEAST_OVERLAP:
                return None
            steep = self.steepness[seen]
            rest = steep * (self.blurry - gain * synthetic - offset)[seen]
            spread = model.MAD_TO_SIGMA * float(np.median(np.abs(rest))) + 1e-5
            weight = 1 / (1 + (rest / (3 * spread)) ** 2)
            fields = [(slopes[0], self.poses), (slopes[1], self.moves), (slopes[2], self.moves)][: 3 if moving else 1]
            columns = [gain * (s[..., 0] * f[0] + s[..., 1] * f[1])[seen] for s, basis in fields for f in basis]
            jacobian = steep * np.stack([*columns, synthetic[seen], np.ones_like(rest)])
            # torch: its threads are the ones that the run was given.
            weighted, plain = torch.from_numpy(jacobian * weight), torch.from_numpy(jacobian)
            matrix, right = (weighted @ plain.T).numpy(), (weighted @ torch.from_numpy(rest)).numpy()
            strength, pull = (known[unknown] for known in self._prior(path, spread))
            matrix = matrix + np.diag(strength + model.DAMPING * np.diag(matrix))
            step = np.zeros(_UNKNOWNS)
            try:
                step[unknown] = np.linalg.solve(matrix, right - strength * pull)
            except np.linalg.LinAlgError:
                return None
            middle = path.middle @ self._tilted(step[_POSE])
            path = replace(
                path,
                middle=middle / middle[2, 2],
                velocity=(path.velocity + step[_VELOCITY]).astype(np.float32),
                acceleration=(path.acceleration + step[_ACCELERATION]).astype(np.float32),
            )
            gain, offset = gain + float(step[_GAIN]), offset + float(step[_OFFSET])
            if not np.isfinite(step).all() or path.blur_extent > 2 * self.unit:
                return None
            if np.abs(step[_MOTION]).max() < enough:
                break
        return path

    def explains(self, path: ExposureTrajectory) -> bool:
        """Whether a hand may move so, and detail of the images is nearer to each other with that motion than without.

        Detail, because that is what a blur takes: all else is alike with any path and with none.
        """
        speed, turn = path.blur_extent, extent(path.acceleration)
        if speed > model.CLEAR and turn > model.TURNING * speed:
            return False
        if not model.LEAST_REACH <= path.length <= 2 * model.LONGEST * self.unit:
            return False
        still = self.refined(ExposureTrajectory.still(path.middle), model.ROUNDS[-1], moving=False)
        side = int(np.clip(2 * path.length, model.DETAIL, max(model.DETAIL, min(self.size) / 2))) // 2 * 2 + 1
        theirs = _detail(self.whole, side)[self.places]

        def missing(path: ExposureTrajectory) -> float:
            brought = self._brought(path.middle)
            brought[..., 0] = _detail(brought[..., 0], side)
            return self._disagreement(*self._blurred(brought, path)[:2], theirs)

        return missing(path) < min(model.STRANGE, model.LEFT * (math.inf if still is None else missing(still)))

    def nearer(self, path: ExposureTrajectory, other: ExposureTrajectory) -> bool:
        """Whether `path` brings the images nearer to each other than `other` does."""
        ours, theirs = (self._disagreement(*self._predicted(p)[:2], self.blurry) for p in (path, other))
        return ours < theirs

    def _disagreement(self, synthetic: Sampled, seen: Known, given: Sampled) -> float:
        """1 - correlation of the places that agree best; neither gain nor offset changes it; 0 is the same image."""
        if seen.mean() < model.LEAST_OVERLAP:
            return math.inf
        agreement = likeness(synthetic[seen], given[seen], 1e-4)
        return 1 - agreement if agreement else math.inf

    def _mean_error(self, synthetic: Sampled, seen: Known) -> float:
        """In linear light, between the blurry image and the blurred sharp one."""
        return float(np.abs(synthetic - self.blurry)[seen].mean()) if seen.mean() > model.LEAST_OVERLAP else math.inf

    def _predicted(
        self, path: ExposureTrajectory, slopes: bool = False
    ) -> tuple[Sampled, Known, list[Float[np.ndarray, "row column axis"]]]:
        """What the blurry image should be like, where that is known, and on demand slopes as `_blurred` has them."""
        if path.length > 0:
            return self._blurred(self._brought(path.middle, slopes), path)
        x, y = self._mapped(path.middle)
        width, height = self.size
        known = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
        steep = self._slopes(path.middle) if slopes else np.zeros((*x.shape, 2), np.float32)
        return self._read(x, y), known & self.inner, [steep, 0 * steep, 0 * steep]

    def _mapped(self, middle: Homography, right: int = 0, down: int = 0) -> tuple[Sampled, Sampled]:
        """Where the places, moved by so many pixels, lie in the sharp image."""
        rows, columns = self.blurry.shape
        x, y = np.meshgrid(np.arange(columns), np.arange(rows))
        matrix = middle @ np.array([[1, 0, right], [0, 1, down], [0, 0, 1.0]]) @ self.at
        across, along, depth = (row[0] * x + row[1] * y + row[2] for row in matrix)
        return (across / depth).astype(np.float32), (along / depth).astype(np.float32)

    def _read(self, x: Sampled, y: Sampled) -> Sampled:
        return cv2.remap(self.sharp, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)

    def _slopes(self, middle: Homography) -> Float[np.ndarray, "row column axis"]:
        """Of the sharp image as brought over, from the pixels on either side of each place."""
        left, right, up, down = (self._read(*self._mapped(middle, *to)) for to in ((-1, 0), (1, 0), (0, -1), (0, 1)))
        return 0.5 * cv2.merge([right - left, down - up])

    def _brought(self, middle: Homography, slopes: bool = False) -> Float[np.ndarray, "height width plane"]:
        """The sharp image on the blurry one's grid, where it is known (0..1), and on demand its slopes."""
        how = cv2.WARP_INVERSE_MAP
        image = cv2.warpPerspective(
            self.sharp, middle, self.size, flags=cv2.INTER_CUBIC | how, borderMode=cv2.BORDER_REPLICATE
        )
        known = cv2.warpPerspective(np.ones_like(self.sharp), middle, self.size, flags=cv2.INTER_LINEAR | how)
        steps = [cv2.Sobel(image, cv2.CV_32F, *axis, ksize=3, scale=1 / 8) for axis in ((1, 0), (0, 1)) if slopes]
        return cv2.merge([image, known, *steps])

    def _blurred(
        self, brought: Float[np.ndarray, "height width plane"], path: ExposureTrajectory
    ) -> tuple[Sampled, Known, list[Float[np.ndarray, "row column axis"]]]:
        """The mean over the path, where all of it is known, and the slopes' means weighted by 1, τ and τ²/2."""
        size, count = (self.blurry.shape[1], self.blurry.shape[0]), instant_count(path.length)
        # Their sums over the path, weighted by 1, τ and τ²/2, of which without slopes the first is enough.
        sums = [np.zeros((*self.blurry.shape, brought.shape[2]), np.float32) for _ in range(3)]
        sums = sums if brought.shape[2] > 2 else sums[:1]
        for tau, way in path.instants():
            seen = sampled(brought, displacement(way, self.size) @ self.at, size)
            for held, factor in zip(sums, (1.0, tau, 0.5 * tau * tau), strict=False):
                cv2.scaleAdd(seen, factor / count, held, held)
        known = (sums[0][..., 1] > model.WHOLLY_KNOWN) & self.inner
        return sums[0][..., 0], known, [held[..., 2:] for held in sums]

    def _prior(
        self, path: ExposureTrajectory, spread: float
    ) -> tuple[Float[np.ndarray, "18"], Float[np.ndarray, "18"]]:
        """Strength and pull of what is known before: little acceleration beside the speed, little turning."""
        strength, pull = np.full(_UNKNOWNS, (spread / model.PRIOR_WIDTH) ** 2), np.zeros(_UNKNOWNS)
        pixel = self.unit / model.TURN
        strength[_ACCELERATION] = (spread / (model.ODDITY * (path.blur_extent + 0.5 * pixel))) ** 2
        strength[_TURNING_AND_GROWTH] = (spread / pixel) ** 2
        pull[_TURNING_AND_GROWTH], pull[_ACCELERATION] = path.velocity[2:], path.acceleration
        return strength, pull

    def _tilted(self, step: Float[np.ndarray, "8"]) -> Homography:
        """The homography p -> p + Σ step · pose, to first order."""
        shift, tilt = step[:2] / self.unit, step[2:] / self.unit
        small = np.array([[1 + tilt[0], tilt[1], shift[0]], [tilt[2], 1 + tilt[3], shift[1]], [-tilt[4], -tilt[5], 1]])
        return np.linalg.inv(self.to_unit) @ small @ self.to_unit


def _rescaled(path: ExposureTrajectory, zoom: Homography, factor: float) -> ExposureTrajectory:
    middle = zoom @ path.middle @ np.linalg.inv(zoom)
    factor32 = np.float32(factor)
    return replace(
        path, middle=middle / middle[2, 2], velocity=path.velocity * factor32, acceleration=path.acceleration * factor32
    )


def _detail(plane: Float[np.ndarray, "height width"], side: int) -> Float[np.ndarray, "height width"]:
    return plane - cv2.blur(plane, (side, side))
