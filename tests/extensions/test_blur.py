"""How far frames are smeared, in pixels: lengths known by construction."""

import math
from itertools import product

import cv2
import numpy as np
import pytest
import torch

from selfhvd.extensions.blur import BlurMeter
from selfhvd.synthesis import Handheld, shoot


def lengths(images) -> np.ndarray:
    meter = BlurMeter()
    for image in images:
        meter.add(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 255)
    return np.array(meter.lengths())


def smeared(image: np.ndarray, length: int, degrees: float) -> np.ndarray:
    """Averaged along a line of so many pixels, in steps of a quarter."""
    height, width = image.shape[:2]
    total = np.zeros(image.shape)
    steps = np.linspace(-length / 2, length / 2, 4 * length + 1)
    for step in steps:
        x, y = step * np.cos(np.radians(degrees)), step * np.sin(np.radians(degrees))
        moved = cv2.warpAffine(image, np.array([[1, 0, x], [0, 1, y]]), (width, height), borderMode=cv2.BORDER_REFLECT)
        total += moved
    return (total / len(steps)).round().astype(np.uint8)


@pytest.fixture(scope="module")
def view(photo) -> np.ndarray:
    return np.ascontiguousarray(photo[60:260, 100:400])


@pytest.mark.parametrize(
    ("length", "degrees"), [*product((3, 6, 12), (0, 45, 90)), (3, 30), (6, 30), (6, 135), (12, 135), (12, 160)]
)
def test_the_length_of_a_smear_is_read_off(view, length, degrees):
    """Within a quarter of it, in any direction; the frames around are not smeared."""
    found = lengths([view] * 4 + [smeared(view, length, degrees)] + [view] * 4)
    assert found[4] == pytest.approx(length, rel=0.25, abs=0.4)
    assert np.delete(found, 4).max() < 0.3


def test_crossed_smears_hide_in_no_comparison(view):
    """No frame is sharp, but each shows what another one lost."""
    found = lengths([smeared(view, 6, 90 * (i % 2)) for i in range(8)])
    assert found == pytest.approx(6, rel=0.3)


def test_focus_is_not_taken_for_motion(view):
    """As soft as a smear of seven pixels (σ = 2) all around counts for less than that."""
    soft = cv2.GaussianBlur(view, (0, 0), 2)
    found = lengths([view] * 4 + [soft, smeared(view, 7, 20)] + [view] * 4)
    assert found[4] < 0.9 * found[5]


def test_noise_and_what_coding_threw_away_are_not_taken_for_motion(view, rng):
    grainy = [np.clip(view + rng.normal(0, 3, view.shape), 0, 255).astype(np.uint8) for _ in range(4)]
    poor = cv2.imdecode(cv2.imencode(".jpg", view, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR)
    assert lengths([view] * 3 + grainy + [poor] + [view] * 3).max() < 1.2


@pytest.mark.slow
@pytest.mark.parametrize("exposure", [1.0, 0.05])
def test_a_pan_smears_all_frames_alike(photo, exposure):
    """Twelve pixels a frame: with the shutter open all the time every frame is blurred, with a short one none is."""
    wide = cv2.resize(photo, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    steps = max(2, round(48 * exposure))

    def shown(i: int) -> np.ndarray:
        offsets = 12 * i + 12 * exposure * np.linspace(0, 1, steps)
        return np.mean([cv2.getRectSubPix(wide, (320, 200), (180 + x, 200)) for x in offsets], axis=0)

    found = lengths([shown(i).round().astype(np.uint8) for i in range(30)])
    assert found.min() > 6 if exposure == 1 else np.median(found) < 1.2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "object", "night"])
def test_frames_of_a_shaken_clip_are_told_apart(photo, kind):
    """Those smeared by more than a pixel and a half from the others, on nine in ten of each kind."""
    exposures = list(shoot(photo, Handheld(kind=kind, frames=40, width=288, height=176, amplitude=8.0, seed=3)))
    found = lengths([e.frame for e in exposures])
    truth = np.array([e.blur for e in exposures])
    assert ((found > 1.5) == (truth > 1.5)).mean() >= 0.9
    assert 0.2 < (truth > 1.5).mean() < 0.8


def test_the_frames_far_away_do_not_count(view):
    """Within ten frames all are smeared alike, and nothing moves: the sharp ones farther off are not asked."""
    found = lengths([smeared(view, 6, 0)] * 12 + [view] * 3)
    assert found[0] < 0.3 and found[11] == pytest.approx(6, rel=0.25)


def test_a_lone_frame_cannot_be_told(view):
    assert lengths([view]).tolist() == [math.inf]
    assert lengths([view[:20]] * 3).tolist() == [math.inf] * 3
    assert lengths([view[:40, :300]] * 2).max() < 0.01


@pytest.mark.parametrize("size", [(32, 2000), (2000, 32), (33, 47)])
def test_extreme_shapes_are_no_trouble(size, rng):
    images = [rng.integers(0, 255, (*size, 3), dtype=np.uint8)] * 3
    assert np.isfinite(lengths(images)).all()


def test_the_same_whatever_the_number_of_threads(view):
    images = [np.roll(view, 3 * i, axis=1) if i % 3 else smeared(view, 5, 0) for i in range(6)]
    given, found = torch.get_num_threads(), []
    for count in (1, 2):
        torch.set_num_threads(count)
        found.append(lengths(images).tolist())
    torch.set_num_threads(given)
    assert found[0] == found[1]
