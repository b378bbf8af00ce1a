"""Untouched pictures keep their colours, for every layout, depth, matrix and range."""

from itertools import product

import av
import numpy as np
import pytest

from selfhvd.video import Coding, encode_clip, ingest, open_writer
from selfhvd.video.colour import from_rgb, to_rgb
from selfhvd.video.footage import Color
from test_video import make_clip

PATCH = 32
MATRICES, RANGES = (1, 5, 9, 2), (1, 2, 0)


def patches(depth):
    """Flat colours, away from the edges of the RGB cube."""
    colours = np.random.default_rng(5).uniform(0.05, 0.95, (3, 4, 3))
    colours[0, 0], colours[0, 1], colours[0, 2] = 0.9, 0.02, (0.9, 0.1, 0.1)
    top = 255 if depth == 8 else 65280
    image = np.kron(np.rint(colours * top), np.ones((PATCH, PATCH, 1)))
    return image.astype(np.uint8 if depth == 8 else np.uint16)


def planes(frame, depth):
    """The planes as whole numbers."""
    found = []
    for plane in frame.planes:
        values = np.frombuffer(plane, np.uint8 if depth == 8 else np.dtype("<u2")).reshape(plane.height, -1)
        found.append(values[:, : plane.width].astype(int))
    return found


def middles(plane, frame):
    """The value in the middle of each patch, out of reach of the next patch's chroma."""
    rows, columns = frame.height // PATCH, frame.width // PATCH
    y, x = plane.shape[0] // rows, plane.shape[1] // columns
    return plane[y // 2 :: y, x // 2 :: x]


@pytest.mark.parametrize(("depth", "layout"), list(product((8, 10, 12), ("420", "422", "444"))))
def test_colours_return_within_one_code_value(depth, layout):
    name = f"yuv{layout}p" + ("" if depth == 8 else f"{depth}le")
    for matrix, rng in product(MATRICES, RANGES):
        color = Color(range=rng, matrix=matrix)
        first = from_rgb(patches(depth), color, name)
        second = from_rgb(to_rgb(first, color, deep=depth > 8), color, name)
        for before, after in zip(planes(first, depth), planes(second, depth), strict=True):
            assert np.abs(middles(after, first) - middles(before, first)).max() <= 1, (matrix, rng)
            assert abs((after - before).mean()) < (0.25 if depth == 8 else 0.75), (matrix, rng)


@pytest.mark.parametrize(("depth", "name"), [(8, "yuv444p"), (10, "yuv444p10le"), (12, "yuv444p12le")])
def test_ten_generations_do_not_drift(depth, name):
    color = Color(range=2, matrix=1)
    first = last = from_rgb(patches(depth), color, name)
    for _ in range(10):
        last = from_rgb(to_rgb(last, color, deep=depth > 8), color, name)
    for before, after in zip(planes(first, depth), planes(last, depth), strict=True):
        assert np.abs(middles(after, first) - middles(before, first)).max() <= 1


@pytest.mark.parametrize("depth", [10, 12])
def test_full_range_white_is_the_top_code(depth):
    """White and black use the whole range of the format, not 255/256 of it."""
    color, top = Color(range=2, matrix=1), 2**depth - 1
    grey = np.linspace(0, 65535, 64).astype(np.uint16)
    image = np.repeat(grey[None, :, None], 16, 0).repeat(3, 2)
    luma = planes(from_rgb(image, color, f"yuv444p{depth}le"), depth)[0]
    assert luma.min() == 0 and luma.max() == top


@pytest.mark.parametrize("codec", ["ffv1", "auto"], ids=["lossless", "default"])
@pytest.mark.parametrize(
    ("pix_fmt", "color"), [("yuv420p", (1, 1, 1, 1)), ("yuv444p", (2, 5, 5, 6)), ("yuv422p", (0, 2, 2, 2))]
)
def test_written_colours_are_the_source_colours(tmp_path, codec, pix_fmt, color):
    source = make_clip(tmp_path / "in.mp4", pix_fmt=pix_fmt, color=color, times=(0, 3000))
    footage = ingest(source, tmp_path / "cache")
    with open_writer(footage, tmp_path / "out.mkv", coding=Coding(codec)) as writer:
        for index in range(len(footage)):
            writer.write(footage.frame(index))
    with av.open(str(source)) as one, av.open(str(tmp_path / "out.mkv")) as two:
        before, after = next(one.decode(video=0)), next(two.decode(video=0))
    for a, b in zip(planes(before, 8), planes(after, 8), strict=True):
        difference = b - a
        assert abs(difference.mean()) < 0.5
        # A block of constant colour far from the moving edge.
        quiet = np.s_[difference.shape[0] * 5 // 8 :, difference.shape[1] * 5 // 8 :]
        assert np.abs(difference[quiet]).max() <= (1 if codec == "ffv1" else 3)


WAVE = 48
"""Pixels from one red stripe to the next."""


def moved(after, before):
    """Pixels by which the stripes of an image's channel moved to the right."""
    wave = np.exp(-2j * np.pi * np.arange(after.shape[1]) / WAVE)
    one, two = ((channel - channel.mean()).mean(axis=0) @ wave for channel in (before, after))
    return -np.angle(two / one) * WAVE / (2 * np.pi)


def test_colours_stay_in_place(tmp_path):
    """Decoders say that H.264's chroma lies to the left; heeded on one side only, colours move half a pixel."""
    x = np.arange(10 * WAVE)
    red = 128 + 60 * np.cos(2 * np.pi * x / WAVE)
    image = np.stack([red, np.full_like(red, 110), 238 - red], axis=1)[None].repeat(64, 0).round().astype(np.uint8)
    encode_clip([image] * 2, tmp_path / "clip.mp4", crf=0)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        frame = next(container.decode(video=0))
    assert frame.format.name == "yuv420p"
    color = Color(range=1, matrix=1)
    read = to_rgb(frame, color, deep=False)
    for channel in (0, 2):
        assert abs(moved(read[..., channel], image[..., channel])) < 0.05, channel
    again = from_rgb(read, color, "yuv420p")
    for before, after in zip(planes(frame, 8)[1:], planes(again, 8)[1:], strict=True):
        assert np.abs(after - before).max() <= 2
