"""Which homography leads from one image to another, however far apart and however blurred they are? Ours."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from selfhvd.flow.camera.exposure_model import LIKELY
from selfhvd.flow.predictor import Homography

Grey = Float[np.ndarray, "height width"]
"""Mean of the channels' codes, 0..255."""

_LEAST_OVERLAP = 0.3
"""Part of the largest overlap below which a correlation is chance."""
ALIKE = 0.95
"""Correlation, low-passed, below which a motion is doubtful; neither light nor contrast counts
(docs/ablations.md#homography._ALIKE)."""
_AGREE = 0.99
"""Correlation, low-passed, from which on no other proposal is looked for (docs/ablations.md#homography._AGREE)."""
_SURE, _NEAR = 0.995, 2.0
"""Likeness and grey levels of misfit with which it is not after all, for most of what is seen agrees
(docs/ablations.md#homography._SURE)."""
_BLANK = 1e-3
"""Grey levels of contrast below which there is nothing to compare."""
TURNS = (-18.0, -9.0, 9.0, 18.0)
"""Degrees by which the second image is turned then."""
_WORST_MISFIT = 25.0
"""Grey levels by which a motion may miss and still be one."""


def find_homography(a: Grey, b: Grey, proposal: Homography | None = None) -> Homography | None:
    """From pixels of `a` to pixels of `b`, to a pixel or so, more where blur hides it; None where none explains them.

    Of `proposal`, refined by ECC at a quarter of the size or as it is, and no motion at all, the one with the smallest
    misfit is kept; unless it agrees, phase correlation and the correlation of what overlaps are refined and compared
    with it. What is kept is refined at half the size. Where it is doubtful, the same with what overlaps when `b` is
    turned: a hand that shakes the view by a third turns it, too (docs/ablations.md#homography._TURNS).
    """
    quarter, half = _Pair(a, b, 4), _Pair(a, b, 2)
    best = quarter.best((proposal,), (proposal, np.eye(3)))
    if not quarter.agrees(best):
        best = quarter.best((_shift(a, b), _overlap(a, b)), (best,))
    if quarter.is_doubtful(best):
        turned = [_overlap(a, b, degrees) for degrees in TURNS]
        best = quarter.best(turned, (*turned, best))
    if quarter.misfit(best) >= _WORST_MISFIT:
        return None
    return half.best((best,), (best,))


def explains(matrix: Homography, a: Grey, b: Grey) -> bool:
    """Whether a motion that is known from elsewhere brings `b` over to `a`, so that none need be looked for."""
    return is_plausible(matrix, a.shape) and not _Pair(a, b, 4).is_doubtful(matrix)


def likeness(ours: Float[np.ndarray, " pixel"], theirs: Float[np.ndarray, " pixel"], blank: float) -> float:
    """Correlation of the pixels that agree best, so that what moves on its own does not count.

    Neither light nor contrast changes it; 0 where the contrast of either, a standard deviation, is below `blank`.
    """
    one, other = ours, theirs
    for _ in range(2):
        if not one.size or min(one.std(), other.std()) < blank:
            return 0.0
        rest = np.abs(np.polyval(np.polyfit(one, other, 1), ours) - theirs)
        likely = rest <= np.quantile(rest, LIKELY)
        one, other = ours[likely], theirs[likely]
    return float(np.corrcoef(one, other)[0, 1]) if min(one.std(), other.std()) >= blank else 0.0


def is_plausible(matrix: Homography, shape: tuple[int, ...]) -> bool:
    """A hand neither folds an image nor shrinks it to half: corners stay in order and of like depth."""
    height, width = shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], dtype=float)
    mapped = corners @ matrix.T
    if not np.isfinite(mapped).all() or (mapped[:, 2] < 0.5).any() or (mapped[:, 2] > 2).any():
        return False
    x, y = (mapped[:, :2] / mapped[:, 2:]).T
    area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
    return bool(0.5 < area / (width * height) < 2)


def zoomed(size: tuple[int, int], full: tuple[int, int]) -> Homography:
    """From pixels of an image to those of it resized (pixels are squares, their centres at whole numbers)."""
    x, y = size[0] / full[0], size[1] / full[1]
    return np.array([[x, 0, 0.5 * x - 0.5], [0, y, 0.5 * y - 0.5], [0, 0, 1.0]])


def _shift(a: Grey, b: Grey) -> Homography:
    """The best whole-image translation, by phase correlation at a quarter of the size."""
    one, other = _small(a, b, 4)
    height, width = one.shape
    move, _ = cv2.phaseCorrelate(one, other, cv2.createHanningWindow((width, height), cv2.CV_32F))
    return _moved(move, a.shape[1] / width, a.shape[0] / height)


def _overlap(a: Grey, b: Grey, degrees: float = 0.0) -> Homography:
    """The translation with the best correlation of what overlaps, at an eighth of the size, after a turn of `b`.

    For large ones: phase correlation takes images for tiles and sees little of them.
    """
    size = (a.shape[1], a.shape[0])
    turn = np.vstack([cv2.getRotationMatrix2D(((size[0] - 1) / 2, (size[1] - 1) / 2), degrees, 1.0), [0, 0, 1]])
    turned, known = (cv2.warpPerspective(x, turn, size) for x in (b, np.ones_like(b)))
    (one, other), known = _small(a, turned, 8), _small(a, known, 8)[1] > 0.99
    # Loading it takes a fifth of a second, and in most runs the process that begins first never needs it.
    from skimage.registration import phase_cross_correlation

    y, x = phase_cross_correlation(
        other, one, reference_mask=known, moving_mask=np.ones_like(known), overlap_ratio=_LEAST_OVERLAP
    )[0]
    return np.linalg.inv(turn) @ _moved((x, y), size[0] / known.shape[1], size[1] / known.shape[0])


def _small(a: Grey, b: Grey, part: int) -> list[Float[np.ndarray, "h w"]]:
    """Both at one `part`-th of the size, but 16 pixels at least."""
    size = (max(16, a.shape[1] // part), max(16, a.shape[0] // part))
    return [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (a, b)]


def _moved(move: Sequence[float], x_scale: float, y_scale: float) -> Homography:
    return np.array([[1, 0, move[0] * x_scale], [0, 1, move[1] * y_scale], [0, 0, 1]])


class _Pair:
    """Two images reduced to one `part`-th of their size; homographies are those of full pixels."""

    def __init__(self, a: Grey, b: Grey, part: int) -> None:
        self.full = a.shape
        self.a, self.b = _small(a, b, part)
        self.zoom = zoomed((self.a.shape[1], self.a.shape[0]), (a.shape[1], a.shape[0]))
        self.rounds = 30 if part > 2 else 20
        side = 12 // part // 2 * 2 + 1  # odd; about twelve full pixels
        self.calm, self.other = (cv2.blur(image, (side, side)) for image in (self.a, self.b))

    def best(self, starts: Sequence[Homography | None], others: Sequence[Homography | None]) -> Homography:
        """Of `starts`, refined, and `others`, as they are, one of them plausible, the one with the smallest misfit."""
        refined = [self.refined(start) for start in starts if start is not None]
        there = [h for h in (*refined, *others) if h is not None and is_plausible(h, self.full)]
        return min(there, key=self.misfit)

    def refined(self, start: Homography) -> Homography | None:
        """ECC from `start`; None where it finds no way uphill."""
        guess = (self.zoom @ start @ np.linalg.inv(self.zoom)).astype(np.float32)
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, self.rounds, 1e-4)
        try:
            _, guess = cv2.findTransformECC(self.a, self.b, guess, cv2.MOTION_HOMOGRAPHY, criteria, None, 5)  # pyright: ignore[reportCallIssue, reportArgumentType]
        except cv2.error:
            return None
        matrix = np.linalg.inv(self.zoom) @ guess @ self.zoom
        return matrix / matrix[2, 2]

    def misfit(self, matrix: Homography) -> float:
        """Median grey difference, low-passed, where both images show something; infinity where they hardly overlap."""
        calm, brought = self._over(matrix)
        return float(np.median(np.abs(calm - brought))) if len(calm) else float("inf")

    def agrees(self, matrix: Homography) -> bool:
        """Whether there can hardly be a better motion."""
        calm, brought = self._over(matrix)
        seen = len(calm) and min(calm.std(), brought.std()) >= _BLANK
        return bool(seen and np.corrcoef(calm, brought)[0, 1] >= _AGREE)

    def is_doubtful(self, matrix: Homography) -> bool:
        """Whether there may be a better motion: where neither the whole nor most of it agrees."""
        calm, brought = self._over(matrix)
        if not len(calm) or min(calm.std(), brought.std()) < _BLANK:
            return True
        alike = float(np.corrcoef(calm, brought)[0, 1]) >= ALIKE
        return not alike and (likeness(calm, brought, _BLANK) < _SURE or self.misfit(matrix) > _NEAR)

    def _over(self, matrix: Homography) -> tuple[Float[np.ndarray, " pixel"], Float[np.ndarray, " pixel"]]:
        """The first image and the second brought over, where both show something; () where they hardly overlap."""
        size = (self.a.shape[1], self.a.shape[0])
        reduced = self.zoom @ matrix @ np.linalg.inv(self.zoom)
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        brought = cv2.warpPerspective(self.other, reduced, size, flags=how)
        seen = cv2.warpPerspective(np.ones_like(self.other), reduced, size, flags=how) > 0.99
        return (self.calm[seen], brought[seen]) if seen.mean() > 0.2 else (self.calm[:0, 0], brought[:0, 0])
