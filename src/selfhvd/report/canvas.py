"""An antialiased drawing surface: everything is drawn larger than wanted and reduced at the end."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

_LARGER = 3

Colour = tuple[int, int, int]
Points = Float[np.ndarray, "point xy=2"]


class Canvas:
    """Draws in units of `zoom` pixels of the finished image."""

    def __init__(self, width: int, height: int, zoom: float, ground: Colour) -> None:
        self.width, self.height, self.ground = width / zoom, height / zoom, ground
        self._unit = zoom * _LARGER
        self._image = Image.new("RGB", (width * _LARGER, height * _LARGER), ground)
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def finished(self) -> Image.Image:
        """The drawing at its final size."""
        return self._image.reduce(_LARGER)

    def text(self, x: float, y: float, text: str, size: float, colour: Colour, anchor: str) -> None:
        """Write `text`; `anchor` as in Pillow ("lm": left end, middle height)."""
        self._draw.text((x * self._unit, y * self._unit), text, colour, self._font(size), anchor)

    def text_width(self, text: str, size: float) -> float:
        """Width that `text` will take."""
        return self._font(size).getlength(text) / self._unit

    def line(self, points: Points, thick: float, colour: Colour, dash: float = 0.0) -> None:
        """A line through `points`, or dashes of length `dash` from the first to the second."""
        for piece in _dashes(points, dash) if dash else [points]:
            self._draw.line(self._flat(piece), colour, max(1, round(thick * self._unit)), joint="curve")

    def area(self, points: Points, colour: Colour, opacity: float = 1.0) -> None:
        """The inside of a polygon."""
        self._draw.polygon(self._flat(points), (*colour, round(255 * opacity)))

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour, opacity: float = 1.0) -> None:
        """A filled rectangle."""
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=float)
        self.area(corners, colour, opacity)

    def dot(self, x: float, y: float, radius: float, colour: Colour, inside: Colour | None = None) -> None:
        """A disc with a rim of the ground's colour; with `inside` a ring of that filling."""
        halo = (radius + 1.2, self.ground)
        discs = [halo, (radius, colour)] + ([] if inside is None else [(radius - 1.7, inside)])
        for r, fill in discs:
            self._draw.ellipse([(v + d) * self._unit for d in (-r, r) for v in (x, y)], fill)

    def _font(self, size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(size * self._unit)

    def _flat(self, points: Points) -> Sequence[float]:
        return (points * self._unit).ravel().tolist()


def _dashes(points: Points, dash: float) -> list[Points]:
    start, end = points[0], points[1]
    length = float(np.linalg.norm(end - start))
    along = np.arange(0.0, length, 1.8 * dash)
    ends = np.minimum(along + dash, length)
    way = (end - start) / max(length, 1e-9)
    return [np.stack([start + way * a, start + way * b]) for a, b in zip(along, ends, strict=True)]
