"""How fast the camera moves, from its frames alone: tracked corners, a homography, its rotation and translation."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from selfhvd.errors import InputError
from selfhvd.synthesis.source_clips import SourceFrames
from selfhvd.video import Frame

_LONGEST = 640
"""Pixels; frames are tracked at most so large."""
_LEAST_TRACKS = 12
_WORST_TURN = 0.5
"""Radians between two frames beyond which a decomposition is not believed."""


@dataclass(frozen=True)
class Egomotion:
    """The camera's speed at each frame, and how it was come by."""

    speed: Float[np.ndarray, " frame"]
    """d_t = |ω_t| + |v_t| (Eq. C) a frame interval: radians, and parts of the distance to the scene."""
    displaced: int
    """Intervals whose homography could not be taken apart; its mean displacement (pixels by focal length) stands in."""
    missing: int
    """Intervals without a homography; their neighbours' speeds stand in."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know."""
        of = f"of {len(self.speed) - 1} intervals"
        said = [f"{self.displaced} {of} by the homography's mean displacement"] if self.displaced else []
        return (*said, f"{self.missing} {of} by their neighbours, for want of corners") if self.missing else (*said,)


def estimate_egomotion(frames: SourceFrames, on_frame: Callable[[int, int], None] | None = None) -> Egomotion:
    """Follow the camera through `frames`, two at a time.

    The focal length is taken to be the longer side of the frame (53 degrees of view); an error scales ω and v alike,
    which K of Eq. F takes up.

    Raises:
        InputError: no two frames can be matched.
    """
    last = len(frames) - 1
    speed, displaced = np.full(len(frames), np.nan), 0
    before = _small_grey(frames.frame(0))
    for index in range(last):
        after = _small_grey(frames.frame(index + 1))
        homography = track_homography(before, after)
        if homography is not None:
            found = homography_speed(homography, before.shape[1], before.shape[0])
            displaced += found is None
            speed[index] = mean_displacement(homography, before.shape[1], before.shape[0]) if found is None else found
        before = after
        if on_frame is not None:
            on_frame(index + 1, last)
    known = np.flatnonzero(np.isfinite(speed))
    if not len(known):
        raise InputError("no camera motion can be found in the frames; give a trajectory.")
    filled = np.interp(np.arange(len(frames)), known, speed[known])
    return Egomotion(filled, displaced, last - len(known))


def track_homography(before: np.ndarray, after: np.ndarray) -> Float[np.ndarray, "3 3"] | None:
    """Where the camera took the points of a grey 8-bit image, in pixels; None where too few could be followed."""
    corners = cv2.goodFeaturesToTrack(before, maxCorners=400, qualityLevel=0.01, minDistance=8)
    if corners is None or len(corners) < _LEAST_TRACKS:  # pyright: ignore[reportUnnecessaryComparison] - it can be
        return None
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None)  # pyright: ignore[reportCallIssue, reportArgumentType]
    back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None)  # pyright: ignore[reportCallIssue, reportArgumentType]
    kept = (np.hypot(*(back - corners).reshape(-1, 2).T) < 0.5) & found.ravel().astype(bool)
    kept &= returned.ravel().astype(bool)
    if kept.sum() < _LEAST_TRACKS:
        return None
    cv2.setRNGSeed(0)
    start, end = (points.reshape(-1, 2)[kept] for points in (corners, there))
    homography, inliers = cv2.findHomography(start, end, cv2.USAC_MAGSAC, 1.0, maxIters=500, confidence=0.999)
    if homography is None or inliers.sum() < _LEAST_TRACKS:  # pyright: ignore[reportUnnecessaryComparison] - it can be
        return None
    return homography


def homography_speed(homography: Float[np.ndarray, "3 3"], width: int, height: int) -> float | None:
    """|ω| in radians plus |v| in distances to the scene; None where the homography is no motion of a hand.

    Of the decompositions that OpenCV offers, the one whose plane faces the camera most is taken.
    """
    focal = float(max(width, height))
    camera = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    try:
        count, rotations, translations, normals = cv2.decomposeHomographyMat(homography, camera)
    except cv2.error:
        return None
    if not count:
        return None
    best = max(range(count), key=lambda k: float(normals[k][2, 0]))
    turn = float(np.linalg.norm(cv2.Rodrigues(rotations[best])[0]))
    way = float(np.linalg.norm(translations[best]))
    return turn + way if np.isfinite(turn + way) and turn < _WORST_TURN and way < _WORST_TURN else None


def mean_displacement(homography: Float[np.ndarray, "3 3"], width: int, height: int) -> float:
    """How far the homography moves the pixels of a frame on average, by the focal length: radians, near enough."""
    x, y = np.meshgrid(np.linspace(0, width - 1, 16), np.linspace(0, height - 1, 16))
    points = np.stack([x.ravel(), y.ravel()], axis=-1)[None]
    moved = cv2.perspectiveTransform(points, homography) - points
    return float(np.hypot(*moved[0].T).mean() / max(width, height))


def _small_grey(frame: Frame) -> np.ndarray:
    """8-bit grey, at most `_LONGEST` pixels long."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    if grey.dtype != np.uint8:
        grey = (grey // 257).astype(np.uint8)
    scale = min(1.0, _LONGEST / max(grey.shape))
    return cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else grey
