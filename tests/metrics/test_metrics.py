"""Each metric against numbers worked out by hand or by another way."""

import math

import numpy as np
import pytest
import torch

from doubles import Shift
from selfhvd.errors import InputError
from selfhvd.flow import FLOWS
from selfhvd.metrics import drift, flicker, motion, psnr, sharp_accuracy, sharpness, ssim
from selfhvd.metrics.accuracy import SHARP_ACCURACY, read_labels, selection_accuracy
from selfhvd.metrics.drift import DRIFT
from selfhvd.metrics.flicker import FLICKER, FLICKER_RATIO, FLICKER_REFERENCE
from selfhvd.metrics.iqa import MANIQA, MUSIQ
from selfhvd.metrics.lpips import LPIPS
from selfhvd.metrics.psnr import PSNR
from selfhvd.metrics.sharpness import SHARPNESS, SHARPNESS_REFERENCE
from selfhvd.metrics.ssim import SSIM
from selfhvd.video.frame import as_bytes, as_tensor


def ssim_by_loops(a: np.ndarray, b: np.ndarray) -> float:
    """The formula of Wang et al. 2004, window after window."""
    offsets = range(-5, 6)
    weights = np.array([[math.exp(-(x * x + y * y) / (2 * 1.5**2)) for x in offsets] for y in offsets])
    weights /= weights.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = []
    for channel in range(3):
        for top in range(a.shape[0] - 10):
            for left in range(a.shape[1] - 10):
                x, y = (im[top : top + 11, left : left + 11, channel].astype(float) for im in (a, b))
                mx, my = (weights * x).sum(), (weights * y).sum()
                vx, vy = (weights * (x - mx) ** 2).sum(), (weights * (y - my) ** 2).sum()
                cov = (weights * (x - mx) * (y - my)).sum()
                top_line = (2 * mx * my + c1) * (2 * cov + c2)
                found.append(top_line / ((mx * mx + my * my + c1) * (vx + vy + c2)))
    return float(np.mean(found))


def noisy(image: np.ndarray, rng: np.random.Generator, spread: float = 20) -> np.ndarray:
    return np.clip(image + rng.normal(scale=spread, size=image.shape), 0, 255).astype(np.uint8)


def test_psnr_of_a_known_error(photo):
    truth = np.full((8, 9, 3), 100, np.uint8)
    assert psnr(truth + np.uint8(5), truth) == pytest.approx(10 * math.log10(255**2 / 25))
    one_channel = truth.copy()
    one_channel[..., 0] += 5
    assert psnr(one_channel, truth) == pytest.approx(10 * math.log10(3 * 255**2 / 25))
    assert psnr(photo, photo) == 100


def test_ssim_agrees_with_the_formula_in_loops(photo, rng):
    natural = np.ascontiguousarray(photo[100:124, 180:207])
    random = rng.integers(0, 256, (24, 27, 3), dtype=np.uint8)
    for a, b in ((natural, noisy(natural, rng)), (natural, random), (random, noisy(random, rng))):
        assert ssim(a, b) == pytest.approx(ssim_by_loops(a, b), abs=1e-6)
        assert ssim(a, b) == pytest.approx(ssim(b, a), abs=1e-12)
    assert ssim(natural, natural) == 1


def test_ssim_of_flat_images_by_hand():
    a, b = (np.full((12, 13, 3), level, np.uint8) for level in (100, 120))
    c1 = 6.5025
    assert ssim(a, b) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1))


def test_ssim_does_not_see_what_no_inner_window_sees():
    """11x11 pixels hold one window, whose far corner weighs almost nothing."""
    a = np.full((11, 11, 3), 100, np.uint8)
    b = a.copy()
    b[0, 0] = 200
    assert 0.999 < ssim(a, b) < 1


def test_drift_is_the_length_of_a_shift_whichever_way_it_goes(photo):
    scene = as_tensor(np.ascontiguousarray(photo[:160, 100:300]))
    middle = scene[:, 10:-10, 10:-10]
    right, up = scene[:, 10:-10, 6:-14], scene[:, 13:-7, 10:-10]
    dis = FLOWS["dis"]()
    assert drift(middle, middle, dis) == pytest.approx(0, abs=1e-3)
    assert drift(right, middle, dis) == pytest.approx(4, abs=0.05)
    assert drift(middle, right, dis) == pytest.approx(4, abs=0.05)
    assert drift(up, middle, dis) == pytest.approx(3, abs=0.05)
    assert drift(middle, middle, Shift(-3, 4)) == pytest.approx(5)


def test_flicker_of_a_still_and_of_a_flashing_clip(photo):
    still = as_tensor((photo[:64, 100:180] // 2).astype(np.uint8))
    flash = still + 20 / 255
    dis = FLOWS["dis"]()
    moved = motion(still, still, dis)
    assert flicker(still, still, moved) == pytest.approx(0, abs=1e-5)
    assert flicker(flash, still, moved) == pytest.approx(20, abs=1e-3)
    assert flicker(still, flash, moved) == pytest.approx(20, abs=1e-3)


def test_what_moves_does_not_flicker_and_what_comes_in_does_not_count(rng):
    scene = torch.from_numpy(rng.random((3, 20, 40), dtype=np.float32))
    before, now = scene[..., :30], scene[..., 5:35]
    assert flicker(now, before, motion(now, before, Shift(5, 0))) == pytest.approx(0, abs=1e-3)
    seen = motion(now, before, Shift(5, 0)).visible[0, 0]
    assert seen[:, :25].gt(0.999).all() and seen[:, 25:].eq(0).all()
    assert flicker(now, before, motion(now, before, Shift(0, 0))) > 50


def test_a_moving_photo_flickers_less_than_it_flashes(photo):
    """With real flow: interpolation leaves a little."""
    scene = as_tensor(np.ascontiguousarray(photo[:140, 100:260]))
    before, now = scene[:, 6:-6, 6:-6], scene[:, 8:-4, 3:-9]
    moved = motion(now, before, FLOWS["dis"]())
    quiet = flicker(now, before, moved)
    assert quiet < 2
    dimmed = flicker((now - 30 / 255).clamp(min=0), before, moved)
    assert dimmed > 15 > 5 * quiet


def test_flicker_is_no_number_where_nothing_is_visible():
    image = torch.zeros(3, 8, 8)
    assert math.isnan(flicker(image, image, motion(image, image, Shift(50, 0))))


def test_sharpness_by_hand():
    """A lone bright pixel: the Laplacian holds -4, 1, 1, 1, 1 times its value, and zeros."""
    image = np.zeros((9, 10, 3), np.uint8)
    image[4, 5] = 10
    squares, mean = (16 + 4) * 100 / 90, 0.0
    assert sharpness(image) == pytest.approx(squares - mean**2, rel=1e-5)


def test_frames_of_16_bits_are_rounded_to_8():
    deep = np.array([0, 128, 129, 257 * 7 + 128, 257 * 7 + 129, 65535], np.uint16).reshape(2, 1, 3)
    assert as_bytes(deep).ravel().tolist() == [0, 0, 1, 7, 8, 255]
    same = np.zeros((2, 2, 3), np.uint8)
    assert as_bytes(same) is same


def test_sharp_accuracy():
    assert sharp_accuracy([True, False, True, True], [True, True, True, False]) == 0.5
    assert sharp_accuracy([False], [False]) == 1


def test_accuracy_of_the_selection_by_hand():
    """Frames 0 and 11 are above the threshold; 5, sharp by its label, is the best of a segment of four without such."""
    scores = [100.0, 1.0, 1.0, 2.0, 1.0, 9.0, 3.0, 1.0, 1.0, 2.0, 1.0, 98.0]
    labels = [i in (0, 5, 11) for i in range(12)]
    assert selection_accuracy(scores, labels, 20) == 11 / 12  # S = {0, 11}
    assert selection_accuracy(scores, labels, 4) == 1  # S = {0, 5, 11}
    assert selection_accuracy(scores, labels, 2) == 9 / 12  # S = {0, 3, 5, 6, 9, 11}
    assert selection_accuracy(scores, labels, 1) == 3 / 12


@pytest.mark.parametrize("text", ["1\n0\n1\n", "1 0 1", "[1, 0, 1]", "[true, false, true]", "\n [1,0,1]\n"])
def test_labels(tmp_path, text):
    path = tmp_path / "labels"
    path.write_text(text)
    assert read_labels(path) == (True, False, True)


@pytest.mark.parametrize("text", ["", "[]", "1\n2\n", "sharp\n", "[1, ", "[0.5]", '["1"]', "[[1]]", "[null]", "1 0]["])
def test_what_is_no_label(tmp_path, text):
    path = tmp_path / "labels"
    path.write_text(text)
    with pytest.raises(InputError, match="holds no labels; write 0"):
        read_labels(path)


def test_labels_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read as labels"):
        read_labels(tmp_path / "labels")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as labels"):
        read_labels(tmp_path / "binary")


DEFINITIONS = (
    *(PSNR, SSIM, LPIPS, DRIFT, FLICKER, FLICKER_REFERENCE, FLICKER_RATIO),
    *(SHARPNESS, SHARPNESS_REFERENCE, MUSIQ, MANIQA, SHARP_ACCURACY),
)


def test_every_definition_says_everything():
    assert len({d.name for d in DEFINITIONS}) == len({d.title for d in DEFINITIONS}) == len(DEFINITIONS)
    for d in DEFINITIONS:
        assert all((d.formula, d.colour, d.borders, d.averaging, d.version)), d


def test_definitions_name_versions_and_the_reference(monkeypatch):
    monkeypatch.setattr("selfhvd.metrics.definition.version", lambda name: {"torch": "9.1"}[name])
    assert SHARPNESS.version == "torch 9.1"
    assert DRIFT.against("the truth").formula.endswith("from the result to the truth")
    assert FLICKER_REFERENCE.against("the input").title == "flicker of the input"


def test_a_library_that_is_not_installed_as_a_distribution():
    assert "pyiqa" in MUSIQ.version
