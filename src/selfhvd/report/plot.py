"""The sharpness of every frame of a clip, as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image

from selfhvd.extensions.selection import Selection
from selfhvd.report.canvas import Canvas, Colour
from selfhvd.report.scale import Scale, choose_scale, round_steps, tick_text

_TEXT, _TITLE = 14.0, 17.0
_MOST_MARKS = 200  # more would run into one another; a strip below the axis shows them instead
_LEFT, _RIGHT = 62.0, 18.0  # margins
_STRIP = 9.0


@dataclass(frozen=True)
class Theme:
    """Colours that differ in lightness as well as in hue (Okabe and Ito), for every eye."""

    ground: Colour
    grid: Colour
    quiet: Colour
    text: Colour
    before: Colour
    after: Colour
    mark: Colour


LIGHT = Theme(
    (255, 255, 255),
    (230, 232, 236),
    (95, 102, 112),
    (28, 31, 36),
    (125, 131, 142),
    (0, 114, 178),
    (213, 94, 0),
)
DARK = Theme(
    (26, 29, 34),
    (48, 53, 61),
    (160, 167, 178),
    (234, 236, 240),
    (140, 147, 158),
    (86, 180, 233),
    (240, 170, 20),
)


def sharpness_plot(
    selection: Selection,
    after: Sequence[float] | None = None,
    width: int = 1200,
    height: int = 420,
    *,
    theme: Theme = LIGHT,
    zoom: float = 1.0,
) -> Image.Image:
    """Sharpness of each frame, the threshold, and the frames chosen as sharp.

    Args:
        selection: its `scores` are the first curve, since the threshold is laid on them.
        after: v_l of the output frames, the second curve.
        width: pixels.
        height: pixels.
        theme: colours.
        zoom: pixels a unit; 2 makes letters and lines twice as large, for screens of high density.
    """
    return _Plot(selection, after or (), Canvas(width, height, zoom, theme.ground), theme).drawn()


class _Plot:
    def __init__(self, selection: Selection, after: Sequence[float], canvas: Canvas, theme: Theme) -> None:
        self.selection, self.canvas, self.theme = selection, canvas, theme
        self.before, self.after = _finite(selection.scores), _finite(after)
        self.count = max(self.before.size, self.after.size)
        self.has_strip = len(selection.sharp) > _MOST_MARKS
        self.legend = self._legend_places()
        below_axis = 46 + (_STRIP + 4 if self.has_strip else 0.0)
        self.top = 66 + (self.legend[-1][1] + 24 if self.legend else 0)
        self.bottom = max(canvas.height - below_axis, self.top + 20)
        self.right = max(canvas.width - _RIGHT, _LEFT + 20)
        values = np.concatenate([self.before, self.after, _finite([selection.threshold, *selection.thresholds])])
        self.scale: Scale = choose_scale(values, max(2, int((self.bottom - self.top) / 48)))

    def drawn(self) -> Image.Image:
        self._titles()
        self._grid()
        self._cuts()
        self._threshold()
        self._curve(self.before, self.theme.before, 1.8)
        self._curve(self.after, self.theme.after, 2.2)
        (self._strip if self.has_strip else self._marks)()
        self._legend()
        return self.canvas.finished()

    def x(self, frames: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Frame numbers to places; half a frame is left free at both ends."""
        return _LEFT + (frames + 0.5) / self.count * (self.right - _LEFT)

    def y(self, values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        return self.bottom - self.scale.share(values) * (self.bottom - self.top)

    def _titles(self) -> None:
        self.canvas.text(16.0, 26.0, "Sharpness of each frame", _TITLE, self.theme.text, "lm")
        said = "variance of the Laplacian" + (", logarithmic" if self.scale.is_log else "")
        self.canvas.text(16.0, 49.0, said, _TEXT - 1, self.theme.quiet, "lm")

    def _grid(self) -> None:
        ends = np.array([_LEFT, self.right])
        for tick, y in zip(self.scale.ticks, self.y(np.array(self.scale.ticks)), strict=True):
            self.canvas.line(np.stack([ends, np.full(2, y)], axis=1), 1.0, self.theme.grid)
            self.canvas.text(_LEFT - 9, y, tick_text(tick), _TEXT, self.theme.quiet, "rm")
        self.canvas.line(np.stack([ends, np.full(2, self.bottom)], axis=1), 1.2, self.theme.quiet)
        below = self.bottom + (_STRIP + 4 if self.has_strip else 0)
        frames = round_steps(float(self.count - 1), max(1, int((self.right - _LEFT) / 90)), least_step=1.0)
        for frame, x in zip(frames, self.x(np.array(frames)), strict=True):
            self.canvas.line(np.array([[x, below], [x, below + 5]]), 1.2, self.theme.quiet)
            self.canvas.text(x, below + 16, tick_text(frame), _TEXT, self.theme.quiet, "mm")
        middle = (_LEFT + self.right) / 2
        self.canvas.text(middle, below + 35, "frame", _TEXT, self.theme.quiet, "mm")

    def _threshold(self) -> None:
        """A dashed line, for each scene its own."""
        edges = [0, *self.selection.cuts, self.count]
        thresholds = _finite(self.selection.thresholds or [self.selection.threshold])
        ends = self.x(np.array(edges, dtype=float) - 0.5)
        for left, right, y in zip(ends[:-1], ends[1:], self.y(thresholds), strict=True):
            self.canvas.line(np.array([[left, y], [right, y]]), 1.4, self.theme.text, dash=6.0)

    def _cuts(self) -> None:
        """An upright line where a new scene begins."""
        for x in self.x(np.array(self.selection.cuts, dtype=float) - 0.5):
            self.canvas.line(np.array([[x, self.top], [x, self.bottom]]), 1.4, self.theme.quiet)

    def _curve(self, values: Float[np.ndarray, " frame"], colour: Colour, thick: float) -> None:
        """A line; where frames are denser than pixels, their mean, and their range as a band behind it."""
        columns = max(1, int((self.right - _LEFT) / 2))
        if values.size > 2 * columns:
            starts = np.arange(columns) * values.size // columns
            sizes = np.diff(np.append(starts, values.size))
            x = self.x(starts + (sizes - 1) / 2)
            edges = [np.stack([x, self.y(f.reduceat(values, starts))], axis=1) for f in (np.maximum, np.minimum)]
            self.canvas.area(np.concatenate([edges[0], edges[1][::-1]]), colour, 0.25)
            self.canvas.line(np.stack([x, self.y(np.add.reduceat(values, starts) / sizes)], axis=1), thick, colour)
        elif values.size == 1:
            self.canvas.dot(float(self.x(np.zeros(1))[0]), float(self.y(values)[0]), 3.5, colour)
        elif values.size:
            self.canvas.line(np.stack([self.x(np.arange(float(values.size))), self.y(values)], axis=1), thick, colour)

    def _marks(self) -> None:
        """Filled: passed the threshold. Hollow: the best of a segment without such a frame."""
        radius = 5.0 if self.count <= (self.right - _LEFT) / 9 else 4.0
        numbers = np.array(self.selection.sharp, dtype=int)
        for i, x, y in zip(numbers, self.x(numbers.astype(float)), self.y(self.before[numbers]), strict=True):
            hollow = self.theme.ground if int(i) in self.selection.by_segment else None
            self.canvas.dot(x, y, radius, self.theme.mark, hollow)

    def _strip(self) -> None:
        """Per column the share of chosen frames; the best of segments as half-height ticks."""
        columns = max(1, min(self.count, int(self.right - _LEFT)))
        edges = np.linspace(-0.5, self.count - 0.5, columns + 1)
        picks = np.array(self.selection.by_segment, dtype=int)
        passed = np.setdiff1d(np.array(self.selection.sharp, dtype=int), picks)
        for numbers, top in ((picks, 4 + _STRIP / 2), (passed, 4.0)):
            held = np.histogram(numbers, edges)[0] / np.diff(edges)
            for k in np.flatnonzero(held):
                left, right = self.x(edges[k : k + 2])
                opacity = 0.3 + 0.7 * min(1.0, float(held[k]))
                self.canvas.box(left, self.bottom + top, right, self.bottom + 4 + _STRIP, self.theme.mark, opacity)

    def _entries(self) -> list[tuple[str, str]]:
        """Kind and words of what the legend names."""
        chosen, picks = self.selection.sharp, self.selection.by_segment
        unused = "" if self.selection.rule == "otsu" and not self.selection.named else ", not applied"
        return [
            ("before", "before"),
            *([("after", "after")] if self.after.size else []),
            ("threshold", f"threshold {tick_text(self.selection.threshold)}{unused}"),
            *([("sharp", "sharp frame")] if len(chosen) > len(picks) else []),
            *([("pick", "blurred, among the best")] if picks else []),
        ]

    def _legend_places(self) -> list[tuple[float, float, str, str]]:
        """x, y, kind and words of each entry, in as many lines as it takes."""
        places: list[tuple[float, float, str, str]] = []
        x, y = 16.0, 0.0
        for kind, words in self._entries():
            wide = _swatch(kind) + 8 + self.canvas.text_width(words, _TEXT)
            if x > 16 and x + wide > self.canvas.width - _RIGHT:
                x, y = 16.0, y + 22
            places.append((x, y, kind, words))
            x += wide + 22
        return places

    def _legend(self) -> None:
        for x, down, kind, words in self.legend:
            y = 74 + down
            ends = np.array([[x, y], [x + _swatch(kind), y]])
            if kind == "before":
                self.canvas.line(ends, 2.4, self.theme.before)
            elif kind == "after":
                self.canvas.line(ends, 2.8, self.theme.after)
            elif kind == "threshold":
                self.canvas.line(ends, 1.6, self.theme.text, dash=6.0)
            elif self.has_strip:
                top = y - _STRIP / 2 if kind == "sharp" else y
                self.canvas.box(x, top, x + _swatch(kind), y + _STRIP / 2, self.theme.mark)
            else:
                self.canvas.dot(x + 6, y, 5.0, self.theme.mark, self.theme.ground if kind == "pick" else None)
            self.canvas.text(x + _swatch(kind) + 8, y, words, _TEXT, self.theme.text, "lm")


def _swatch(kind: str) -> float:
    """Width of what the legend shows before the words."""
    return 12.0 if kind in ("sharp", "pick") else 25.0


def _finite(values: Sequence[float]) -> Float[np.ndarray, " n"]:
    return np.nan_to_num(np.asarray(values, dtype=float), nan=0.0, posinf=0.0, neginf=0.0)
