"""How far each frame is smeared, in pixels (ours): its edges against the same edges in the frames around it.

A motion of L pixels while the shutter is open averages over a box of that length: along the motion, and only there,
edges look as they would at a coarser scale, σ² larger by L² / 12. So each frame is looked at along four directions at
several scales, place by place; of two frames that show the same places, how much coarser the one must become to look
like the other is how much further it is smeared. Only strong edges count (fourth powers): texture that an encoder threw
away, and noise, hardly do. Nothing is compared but the frames of one clip with each other, so there is no scale of
"sharp" that another scene, lens or encoder would shift.

What every frame around is smeared by alike, as under a steady pan, shows in no comparison. It shows along against
across, and is believed where it is more than pictures show by themselves, and no more than the camera moved.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from selfhvd.flow.camera.threads import side_by_side

_REACH = 10
"""Frames on each side that a frame is compared with."""
_MOST_OF = 0.9
"""Quantile over these comparisons: the sharpest around rule, a single mistaken one does not."""
_ISOTROPIC = 0.5
"""Part of what is lost across the motion, too, that is not taken for motion but for focus and coding."""
_LINE = 4
"""Pixels across a direction that are averaged to one line, along which edges are looked for."""
_SIGMAS = (0.8, 1.2)
"""Scales of the derivative on each level, pixels of the level."""
_LEVELS = 5
"""Each half as fine as the one before along the lines."""
_LONGEST = 2 ** (_LEVELS - 1) * (math.ceil(3 * max(_SIGMAS)) + 1)
"""Pixels up to which the coarsest derivative looks along a line."""
_BAND = 128
"""Rows that are turned at a time."""
_CELLS = 30
"""Places along the longer side that energies are kept for."""
_LEAST_CELL = 8
_LEAST_SIDE = 32
"""Pixels; in smaller frames nothing can be told."""
_LOOKED_AT = 160
"""Pixels of the longer side on which the camera's steps are found."""
_OVERLAP = 0.3
"""Part of a frame that another must show to be compared with it."""
_NATURAL, _SURELY = 5.0, 8.0
"""Pixels up to which pictures seem smeared of themselves, along against across, and pixels from which on a smear of all
frames is believed (docs/ablations.md#blur._NATURAL)."""
_COARSE = 8
"""Scale, as a number of `_VARIANCES`, that serves to compare along with across."""

_VARIANCES = np.array([4.0**n * s * s + (4.0**n - 1) / 12 for n in range(_LEVELS) for s in _SIGMAS])
"""σ² of each scale along a line, pixels squared: of the derivative and of the means of 2^n pixels."""

Cells = Float[np.ndarray, "row column direction=4 scale"]
"""Mean fourth power of the derivative at each place, along 0°, 45°, 90° and 135°."""
Matrix = Float[np.ndarray, "3 3"]
Grey = Float[np.ndarray, "height width"]
Work = Callable[[], np.ndarray]
Each = Callable[[Callable[[Work], np.ndarray], Sequence[Work]], list[np.ndarray]]
"""As `map`."""


@dataclass(frozen=True)
class Look:
    """What is kept of a frame."""

    cells: Cells
    cell: int
    """Pixels a cell."""
    size: tuple[int, int]
    """Height, width in pixels."""
    small: UInt8[np.ndarray, "h w"]
    step: Matrix = field(default_factory=lambda: np.eye(3))
    """Where pixels of the frame before are in this one."""


class BlurMeter:
    """Takes the frames of one scene in order; holds what is kept of twenty-one of them."""

    def __init__(self) -> None:
        self._looks: deque[Look] = deque(maxlen=2 * _REACH + 1)
        self._seen = 0
        self._lengths: list[float] = []

    def add(self, image: Float[Tensor, "3 height width"]) -> None:
        """See the next frame, RGB in [0, 1]."""
        self.see(look_at(image, side_by_side))

    def see(self, look: Look | None) -> None:
        """The same by what `look_at` found of it."""
        self._seen += 1
        if look is None:
            return
        before = list(self._looks)[-1:]
        steps = side_by_side(lambda one: _step(one.small, look.small, look.size), before)
        self._looks.append(replace(look, step=steps[0]) if steps else look)
        if self._seen > _REACH:
            self._measure()

    def lengths(self) -> tuple[float, ...]:
        """Pixels that each frame is smeared by, after the last one was added; infinite where it cannot be told."""
        if not self._looks:
            return (math.inf,) * self._seen
        while len(self._lengths) < self._seen:
            self._measure()
        return tuple(self._lengths)

    def _measure(self) -> None:
        """The length of the next frame, by those around it."""
        looks = list(self._looks)
        place = len(self._lengths) - (self._seen - len(looks))
        around = looks[max(0, place - _REACH) : place + _REACH + 1]
        self._lengths.append(_length(around, min(place, _REACH)))


def _length(looks: Sequence[Look], place: int) -> float:
    """Of the frame `place`: what it is smeared by beyond the sharpest around, and what all of them are."""
    compared = [_coarser(looks[place], other, where) for other, where in _others(looks, place)]
    grown = [growth for growth in compared if growth is not None]
    if not grown:
        return math.inf
    return math.sqrt(12 * _along(np.quantile(grown, _MOST_OF, axis=0)) + _shared(looks) ** 2)


def _along(variances: Float[np.ndarray, "direction=4"]) -> float:
    """The largest of an ellipse through what four directions have lost, less a part of the smallest."""
    middle = float(variances.mean())
    half = 0.5 * math.hypot(variances[0] - variances[2], variances[1] - variances[3])
    return max(middle + half - _ISOTROPIC * max(middle - half, 0.0), 0.0)


def _others(looks: Sequence[Look], place: int) -> list[tuple[Look, Matrix]]:
    """The other frames, and where pixels of the frame `place` are in them."""
    found: list[tuple[Look, Matrix]] = []
    there = np.eye(3)
    for look in looks[place + 1 :]:
        there = look.step @ there
        found.append((look, there))
    there = np.eye(3)
    for after, look in zip(looks[place:0:-1], looks[:place][::-1], strict=True):
        there = np.linalg.inv(after.step) @ there
        found.append((look, there))
    return found


def _coarser(one: Look, other: Look, where: Matrix) -> Float[np.ndarray, "direction=4"] | None:
    """How much σ² must grow along each direction until `other`'s edges look like `one`'s; None if they share little."""
    brought, seen = _brought(other, where)
    if seen.mean() < _OVERLAP:
        return None
    ours, theirs = one.cells[seen].sum(axis=0), brought[seen].sum(axis=0)
    return np.array([_growth(float(a[0]), b) for a, b in zip(ours, theirs, strict=True)])


def _growth(energy: float, curve: Float[np.ndarray, " scale"]) -> float:
    """How far along `curve`, energies from fine to coarse, `energy` at the finest scale is met; in σ²."""
    falling = np.minimum.accumulate(np.log(np.maximum(curve, 1e-6)))
    wanted = math.log(max(energy, 1e-6))
    if wanted >= falling[0]:
        return 0.0
    # Both fall; np.interp wants them to rise.
    met = float(np.interp(-wanted, -falling, np.log(_VARIANCES)))
    return math.exp(met) - float(_VARIANCES[0])


def _brought(look: Look, where: Matrix) -> tuple[Cells, np.ndarray]:
    """The cells of another frame as they lie on those of this one, and which of them it shows."""
    rows, columns = look.cells.shape[:2]
    y, x = np.mgrid[0:rows, 0:columns]
    pixels = np.stack([(x.ravel() + 0.5) * look.cell, (y.ravel() + 0.5) * look.cell, np.ones(x.size)])
    mapped = where @ pixels
    across, down = (mapped[:2] / mapped[2] / look.cell - 0.5).reshape(2, rows, columns).astype(np.float32)
    seen = (across >= -0.25) & (across <= columns - 0.75) & (down >= -0.25) & (down <= rows - 0.75)
    return _remapped(look.cells.reshape(rows, columns, -1), across, down).reshape(look.cells.shape), seen


def _remapped(values: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """`values` at given places, four layers at a time, as OpenCV takes them."""
    fours = [np.ascontiguousarray(values[..., n : n + 4]) for n in range(0, values.shape[-1], 4)]
    there = [cv2.remap(four, across, down, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE) for four in fours]
    return np.concatenate([four.reshape(*across.shape, -1) for four in there], axis=-1)


def _shared(looks: Sequence[Look]) -> float:
    """Pixels that all the frames are smeared by alike along one direction, as far as that can be told."""
    if len(looks) < 2:
        return 0.0
    moved = np.array([_speeds(look) for look in looks[1:]]).min(axis=0)
    if moved.max() <= _NATURAL:
        return 0.0
    seems = np.array([_against_across(look.cells.sum(axis=(0, 1))) for look in looks]).min(axis=0)
    length = float(np.minimum(moved, seems).max())
    return length * min(max((length - _NATURAL) / (_SURELY - _NATURAL), 0.0), 1.0)


def _speeds(look: Look) -> Float[np.ndarray, "direction=4"]:
    """Pixels by which the middle of the frame moved since the frame before, along each direction."""
    height, width = look.size
    middle = np.array([width / 2, height / 2, 1.0])
    x, y = (look.step @ middle)[:2] - middle[:2]
    return np.abs([x, (x + y) / math.sqrt(2), y, (y - x) / math.sqrt(2)])


def _against_across(energies: Float[np.ndarray, "direction=4 scale"]) -> Float[np.ndarray, "direction=4"]:
    """The smear along each direction that makes it as weak at the fine scale, were it otherwise like the one across."""
    grown = np.concatenate([[0.0], np.geomspace(0.02, 400, 60)])
    fine, coarse = (np.log(_VARIANCES[n] + grown) for n in (0, _COARSE))
    levels = np.log(np.maximum(energies, 1e-6))
    lengths = np.zeros(4)
    for n in range(4):
        across = levels[(n + 2) % 4]
        expected = np.interp(fine, np.log(_VARIANCES), across) - np.interp(coarse, np.log(_VARIANCES), across)
        less = np.flatnonzero(expected <= levels[n][0] - levels[n][_COARSE])
        lengths[n] = math.sqrt(12 * grown[less[0] if less.size else -1])
    return lengths


def _grey(image: Float[Tensor, "3 height width"]) -> Grey:
    """0..255."""
    red, green, blue = image.cpu().numpy()
    return cv2.addWeighted(cv2.addWeighted(red, 255 * 0.299, green, 255 * 0.587, 0), 1, blue, 255 * 0.114, 0)


def look_at(
    image: Float[Tensor, "3 height width"], each: Each = lambda work, items: list(map(work, items))
) -> Look | None:
    """What is seen of a frame alone, RGB in [0, 1], one direction after the other or as `each` does the work.

    None where the frame is too small to tell anything.
    """
    height, width = image.shape[-2:]
    if min(height, width) < _LEAST_SIDE:
        return None
    grey = _grey(image)
    scale = min(1.0, max(_LOOKED_AT / max(grey.shape), _LEAST_SIDE / min(grey.shape)))
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).clip(0, 255).astype(np.uint8)
    cell = max(_LEAST_CELL, min(round(max(grey.shape) / _CELLS), min(grey.shape) // 4))
    directions: list[Work] = [
        lambda: _lying(grey, cell),
        lambda: _oblique(grey, cell, 1),
        lambda: _lying(np.ascontiguousarray(grey.T), cell).transpose(1, 0, 2),
        lambda: _oblique(grey, cell, -1),
    ]
    energies = each(lambda direction: direction(), directions)
    return Look(np.stack(energies, axis=2), cell, (height, width), small)


def _step(before: UInt8[np.ndarray, "h w"], now: UInt8[np.ndarray, "h w"], size: tuple[int, int]) -> Matrix:
    """How the camera moved, as a similarity of full-size pixels; none at all where nothing agrees on one."""
    height, width = now.shape
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = search.calc(before, now, np.zeros((height, width, 2), np.float32))
    inner = np.s_[4:height:2, 4:width:2]
    y, x = (axis[inner].ravel() for axis in np.mgrid[0:height, 0:width])
    start = np.stack([x, y], axis=1).astype(np.float32)
    end = start + flow[inner].reshape(-1, 2)
    cv2.setRNGSeed(0)
    found = cv2.estimateAffinePartial2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=1.0)[0]
    if found is None:  # pyright: ignore[reportUnnecessaryComparison] - the stubs deny it
        return np.eye(3)
    reduced = np.diag([width / size[1], height / size[0], 1.0])
    return np.linalg.inv(reduced) @ np.vstack([found, [0, 0, 1]]) @ reduced


def _lying(grey: Grey, cell: int) -> np.ndarray:
    """Energies along the rows, `row column scale`."""
    height, width = grey.shape
    lines = cv2.resize(grey, (width, height // _LINE), interpolation=cv2.INTER_AREA)
    return _energies(lines, (width // cell, height // cell))


def _oblique(grey: Grey, cell: int, sign: int) -> np.ndarray:
    """Energies along a diagonal: of the picture turned by 45 degrees, brought back to the cells."""
    height, width = grey.shape
    side = math.ceil((height + width) / math.sqrt(2)) // 16 * 16 + 16
    half = math.sqrt(0.5)
    # Every second row is enough, since rows are averaged.
    turn = np.array([[half, sign * half], [-sign * half / 2, half / 2]])
    move = np.array([(side - 1) / 2, (side / 2 - 1) / 2]) - turn @ np.array([(width - 1) / 2, (height - 1) / 2])
    turned = _turned(grey, turn, move, (side // 2, side), 2 * cell + _LONGEST)
    lines = cv2.resize(turned, (side, side // _LINE), interpolation=cv2.INTER_AREA)
    energies = _energies(lines, (side // cell, side // cell))
    y, x = np.mgrid[0 : height // cell, 0 : width // cell]
    places = turn @ np.stack([(x.ravel() + 0.5) * cell, (y.ravel() + 0.5) * cell]) + move[:, None]
    across, down = ((n * places[k] / cell - 0.5).reshape(x.shape).astype(np.float32) for k, n in ((0, 1), (1, 2)))
    return _remapped(energies, across, down)


def _turned(
    grey: Grey,
    turn: Float[np.ndarray, "2 2"],
    move: Float[np.ndarray, "2"],
    size: tuple[int, int],
    beyond: int,
) -> Float[np.ndarray, "row column"]:
    """The picture where `turn` and then `move` take it, and `beyond` its border so many pixels of its mirror image.

    As `cv2.warpAffine` does, in a third of the time.
    """
    wide = cv2.copyMakeBorder(grey, beyond, beyond, beyond, beyond, cv2.BORDER_REFLECT_101)
    back = np.linalg.inv(turn)
    begin = beyond - back @ move
    turned = np.empty(size, np.float32)
    across = [(back[k, 0] * np.arange(size[1]) + begin[k]).astype(np.float32) for k in (0, 1)]
    for first in range(0, size[0], _BAND):
        rows = np.arange(first, min(first + _BAND, size[0]), dtype=np.float32)[:, None]
        x, y = (across[k] + np.float32(back[k, 1]) * rows for k in (0, 1))
        cv2.remap(wide, x, y, cv2.INTER_CUBIC, turned[first : first + _BAND], cv2.BORDER_CONSTANT)
    return turned


def _energies(lines: Float[np.ndarray, "line pixel"], size: tuple[int, int]) -> np.ndarray:
    """Mean fourth power of the derivative along the lines, at each scale, on `size` (across, down) cells."""
    energies: list[np.ndarray] = []
    for level in range(_LEVELS):
        if level:
            lines = cv2.resize(lines, (max(1, lines.shape[1] // 2), lines.shape[0]), interpolation=cv2.INTER_AREA)
        for sigma in _SIGMAS:
            slope = cv2.filter2D(lines, cv2.CV_32F, _derivative(sigma) / 2**level)
            square = cv2.multiply(slope, slope)
            energies.append(cv2.resize(cv2.multiply(square, square), size, interpolation=cv2.INTER_AREA))
    return np.stack(energies, axis=-1)


def _derivative(sigma: float) -> Float[np.ndarray, "1 tap"]:
    """Of a Gaussian, as a row; a ramp gives its slope."""
    reach = math.ceil(3 * sigma)
    x = np.arange(-reach, reach + 1)
    taps = x * np.exp(-x * x / (2 * sigma * sigma))
    return (taps / (taps * x).sum())[None].astype(np.float32)
