"""The virtual phone: counts, linear light and seeds."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from selfhvd.synthesis import KINDS, Handheld, handheld, shoot
from selfhvd.synthesis.exposure_length import exposure_counts, round_to_odd
from selfhvd.synthesis.trajectory import Trajectory, shake

SMALL = Handheld(frames=12, width=48, height=32, amplitude=9.0)


def test_round_to_odd():
    values = np.array([0, 0.5, 1, 1.9, 2, 2.1, 3, 3.99, 4, 6.5, 14.2])
    assert round_to_odd(values).tolist() == [1, 1, 1, 1, 3, 3, 3, 3, 5, 7, 15]


def test_counts_follow_the_mean_speed():
    """Three frames of five sub-frames at speeds 1, 2, 4; a third sharp: K = 5 q / 2, n = odd(2 d / q), q = 5/3."""
    speed = np.repeat([1.0, 2.0, 4.0], 5)
    assert exposure_counts(speed, 5, 1 / 3).tolist() == [1, 3, 5]
    assert exposure_counts(speed, 5, 1 / 3, k=10.0).tolist() == [1, 1, 3]  # 5 d / 10 = 0.5, 1, 2


def test_counts_look_at_the_whole_window():
    """A frame fast for one sub-frame of five has the mean of it."""
    speed = np.ones(20)
    speed[7] = 6.0  # mean of the second frame: 2
    assert exposure_counts(speed, 5, 0.5).tolist() == [3, 5, 3, 3]


@pytest.mark.parametrize("share", [0.2, 1 / 3, 0.6])
def test_counts_are_odd_and_as_often_one_as_asked(rng, share):
    path = shake(rng, 300, 15, 9.0, 100.0)
    counts = exposure_counts(path.speed(100.0), 15, share)
    assert counts.shape == (300,)
    assert (counts % 2 == 1).all() and counts.min() == 1 and counts.max() <= 15
    assert abs((counts == 1).mean() - share) < 0.02


def test_speed_adds_shift_and_rotation_and_zoom():
    """(3, 4) pixels a step, 0.01 rad and 1 % a step felt at 100 pixels: 5 + 1 + 1."""
    steps = np.arange(6)
    path = Trajectory(np.stack([3.0 * steps, 4.0 * steps], 1), 0.01 * steps, np.exp(-0.01 * steps))
    np.testing.assert_allclose(path.speed(100.0), 7)


def test_a_camera_at_rest_makes_sharp_frames():
    assert exposure_counts(np.zeros(15), 5, 1 / 3).tolist() == [1, 1, 1]


@pytest.fixture
def sliding(monkeypatch):
    """A camera that moves one pixel to the right each sub-frame, and exposes three of three."""

    def path(rng, frames, substeps, amplitude, radius):
        steps = frames * substeps
        position = np.stack([np.arange(steps, dtype=float) - steps // 2, np.zeros(steps)], axis=1)
        return Trajectory(position, np.zeros(steps), np.ones(steps))

    monkeypatch.setattr(handheld, "shake", path)
    monkeypatch.setattr(handheld, "exposure_counts", lambda speed, substeps, share: np.array([1, 3, 3, 1, 3]))
    return Handheld(frames=5, width=16, height=8, substeps=3)


def test_frames_are_averages_in_linear_light(sliding):
    """Stripes of 0, 0, 255: each pixel sees every one once, so g(1/3) = 255 * (1/3)**(1/2.2) = 154.8; not 85."""
    photo = np.zeros((17, 41, 3), np.uint8)
    photo[:, 2::3] = 255
    exposures = list(shoot(photo, sliding))
    assert [e.count for e in exposures] == [1, 3, 3, 1, 3]
    assert (exposures[1].frame == 155).all() and (exposures[4].frame == 155).all()
    assert sorted(np.unique(exposures[1].truth)) == [0, 255]
    assert np.array_equal(exposures[0].frame, exposures[0].truth)


def test_frames_equal_the_average_of_their_sub_frames(sliding, rng):
    """Eq. G on a photo of noise: g(mean of g^-1 of the three sub-frames around the truth)."""
    photo = rng.integers(0, 256, size=(17, 41, 3), dtype=np.uint8)
    for i, exposure in enumerate(shoot(photo, sliding)):
        centre = 3 * i + 1 - 15 // 2  # Eq. D: i N + (N - 1) / 2, relative to the photo's middle
        left, top = (41 - 15) // 2 + centre, (17 - 7) // 2
        shown = [photo[top : top + 8, left + k : left + k + 16] / 255 for k in (-1, 0, 1)]
        assert np.abs(exposure.truth - 255.0 * shown[1]).max() <= 1
        averaged = shown if exposure.count == 3 else shown[1:2]
        wanted = 255 * np.mean([s**2.2 for s in averaged], axis=0) ** (1 / 2.2)
        assert np.abs(exposure.frame - wanted).max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(kind, photo):
    exposures = list(shoot(photo, replace(SMALL, kind=kind)))
    again = list(shoot(photo, replace(SMALL, kind=kind)))
    assert len(exposures) == 12
    assert all(
        np.array_equal(a.frame, b.frame) and np.array_equal(a.truth, b.truth)
        for a, b in zip(exposures, again, strict=True)
    )
    assert all(e.frame.shape == (32, 48, 3) and e.count % 2 == 1 for e in exposures)
    same = [np.array_equal(e.frame, e.truth) for e in exposures]
    if kind == "night":
        assert not any(same)  # noise
    elif kind == "all-blurry":
        assert min(e.count for e in exposures) >= 7 and not any(same)
    elif kind == "sharp":
        assert all(same) and all(e.count == 1 for e in exposures)
    else:
        assert same == [e.count == 1 for e in exposures] and 0 < sum(same) < 12


def test_another_seed_another_clip(photo):
    one, two = (list(shoot(photo, replace(SMALL, seed=seed))) for seed in (0, 1))
    assert not np.array_equal(one[5].truth, two[5].truth)


def test_the_camera_moves(photo):
    truths = [e.truth.astype(float) for e in shoot(photo, SMALL)]
    assert all(np.abs(a - b).max() > 0 for a, b in pairwise(truths))


def test_night_is_dark(photo):
    day, night = (next(shoot(photo, replace(SMALL, kind=kind))).truth.mean() for kind in ("plain", "night"))
    # 0.15 to 0.35 of the light is 0.42 to 0.62 of the code.
    assert 0.4 * day < night < 0.64 * day
