"""Selecting sharp frames: threshold, segments, the pulse of key frames, verdicts."""

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given
from hypothesis import strategies as st

from selfhvd.frames import ArrayFrames
from selfhvd.method.sharp import Selection, SharpConfig, blur_effect, find_sharp, select_sharp, without_key_pulse
from selfhvd.ops.sharpness import laplacian_variance

SHARP, BLURRY = 0.3, 0.45
"""A `blur_effect` on either side of what tells a sharp clip from a blurry one."""


def select(scores, keys=(), blur=BLURRY, segment=20) -> Selection:
    keyframes = [i in keys for i in range(len(scores))]
    return select_sharp([float(s) for s in scores], keyframes, [blur], SharpConfig(segment=segment))


def selection(*sharp: int, count: int = 12) -> Selection:
    return Selection((1.0,) * count, (1.0,) * count, 0.5, sharp, (), "mixed")


def test_two_clear_clusters():
    scores = [900 + i if i % 3 == 1 else 100 for i in range(40)]
    chosen = select(scores)
    assert chosen.sharp == tuple(range(1, 40, 3))
    assert chosen.by_segment == ()
    assert chosen.verdict == "mixed"
    assert chosen.ratio == len(chosen.sharp) / 40
    assert 100 <= chosen.threshold < 901
    assert chosen.sharpness == tuple(map(float, scores))


def test_best_of_the_blurry_is_still_blurry():
    """Blurry frames score 90..130, sharp ones 300..400: nothing below 200 may pass, whatever the histogram's bins."""
    for seed in range(8):
        draw = np.random.default_rng(seed)
        scores = draw.permutation(np.concatenate([draw.uniform(90, 130, 40), draw.uniform(300, 400, 20)]))
        chosen = select(scores)
        assert [i for i in range(60) if chosen.is_sharp(i)] == np.flatnonzero(scores > 200).tolist()


def test_bare_segment_gives_its_best_which_stays_blurry():
    scores = [100.0] * 40
    scores[3] = scores[7] = scores[12] = 900
    scores[31] = 150
    chosen = select(scores)
    assert chosen.sharp == (3, 7, 12, 31)
    assert chosen.by_segment == (31,)
    assert chosen.is_sharp(3) and not chosen.is_sharp(31) and not chosen.is_sharp(4)
    assert chosen.ratio == 3 / 40


def test_last_segment_may_be_short_and_ties_go_to_the_first():
    scores = [100.0] * 23
    scores[3] = scores[7] = scores[12] = 900
    assert select(scores).by_segment == (20,)


def test_segment_length_counts():
    scores = [100.0] * 20
    scores[3] = scores[4] = 900
    assert select(scores, segment=20).sharp == (3, 4)
    assert select(scores, segment=10).sharp == (3, 4, 10)


def test_one_frame():
    assert select([5]).sharp == (0,)
    assert select([5], blur=SHARP).verdict == "all-sharp"
    assert select([5], blur=SHARP).by_segment == ()


def test_equal_scores_are_judged_by_their_blur():
    blurry, sharp = select([70] * 45), select([70] * 45, blur=SHARP)
    assert (blurry.verdict, blurry.sharp, blurry.by_segment, blurry.ratio) == (
        "none-sharp",
        (0, 20, 40),
        (0, 20, 40),
        0,
    )
    assert (sharp.verdict, sharp.sharp, sharp.by_segment, sharp.ratio) == ("all-sharp", tuple(range(45)), (), 1)


def test_slow_change_of_scene_is_no_change_of_sharpness():
    """A ramp splits in two for Otsu, but no frame is much worse than those around it."""
    assert select(np.linspace(100, 1000, 100)).verdict == "none-sharp"
    assert select(np.linspace(100, 1000, 100), blur=SHARP).verdict == "all-sharp"


def test_narrow_spread_is_one_class():
    scores = [100 if i % 2 else 140 for i in range(40)]
    assert select(scores).verdict == "none-sharp"


def test_key_frames_do_not_pass_for_sharp_ones(rng):
    """Every tenth frame is a key frame and reads 1.4 times as sharp: without the correction all are chosen."""
    keys = range(0, 200, 10)
    scores = rng.normal(100, 5, size=200)
    scores[keys] *= 1.4
    chosen = select(scores, keys)
    assert len(chosen.sharp) == 10
    assert len(set(chosen.sharp) & set(keys)) <= 4
    assert set(select(scores).sharp) <= set(keys)


def test_key_frames_do_not_hide_the_sharp_ones():
    """The best blurry frame of a bare segment is not its key frame, unless that is sharper than the pulse explains."""
    keys = range(0, 80, 5)
    scores = np.array([100.0] * 80)
    scores[2:40:4] = 400
    scores[53] = 120
    scores[keys] *= 1.4
    assert select(scores, keys).by_segment == (53, 60)


def test_pulse_by_hand():
    keys = np.array([False, True, False] * 3)
    pulse = np.where(keys, 14.0, 10.0)
    np.testing.assert_allclose(without_key_pulse(pulse, keys), 10)
    dip = np.where(keys, 7.0, 10.0)
    np.testing.assert_array_equal(without_key_pulse(dip, keys), dip)


def test_pulse_is_the_median_lead():
    """Leads of 1.2, 1.5 and 9: the scene cut on the last key frame does not count."""
    keys = np.array([False, True, False] * 3)
    scores = np.array([10.0, 12, 10, 10, 15, 10, 10, 90, 10])
    np.testing.assert_allclose(without_key_pulse(scores, keys), [10, 8, 10, 10, 10, 10, 10, 60, 10])


def test_two_key_frames_say_nothing():
    keys = np.array([False, True, False] * 2)
    scores = np.where(keys, 14.0, 10.0)
    np.testing.assert_array_equal(without_key_pulse(scores, keys), scores)


def test_a_clip_of_key_frames_only_has_no_pulse():
    scores = np.array([10.0, 30, 10, 30, 10, 30, 10])
    np.testing.assert_array_equal(without_key_pulse(scores, np.ones(7, dtype=bool)), scores)


def test_nearest_and_its_tie():
    chosen = selection(2, 6)
    assert [chosen.nearest(i) for i in (0, 2, 3, 4, 5, 6, 11)] == [2, 2, 2, 2, 6, 6, 6]


def test_around_alternates_and_never_holds_the_frame_itself():
    chosen = selection(1, 3, 6, 9)
    assert chosen.around(4, 2) == (3, 6, 1, 9)
    assert chosen.around(3, 1) == (1, 6)
    assert chosen.around(3, 2) == (1, 6, -1, 9)
    assert chosen.around(0, 2) == (-1, 1, -1, 3)
    assert chosen.around(11, 2) == (9, -1, 6, -1)
    assert chosen.around(4, 0) == ()


@given(
    scores=st.lists(st.floats(0, 1e5), min_size=1, max_size=70),
    keys=st.sets(st.integers(0, 69)),
    segment=st.integers(1, 25),
    blur=st.sampled_from([SHARP, BLURRY]),
)
def test_every_segment_has_a_chosen_frame(scores, keys, segment, blur):
    chosen = select(scores, keys, blur, segment)
    assert list(chosen.sharp) == sorted(set(chosen.sharp))
    assert {j // segment for j in chosen.sharp} == set(range((len(scores) + segment - 1) // segment))
    assert chosen.sharp[-1] < len(scores)
    assert set(chosen.by_segment) <= set(chosen.sharp)
    assert 0 <= chosen.ratio <= 1
    assert chosen.verdict != "all-sharp" or len(chosen.sharp) == len(scores)


def test_finds_the_sharp_frames_of_a_clip(photo):
    view = np.ascontiguousarray(photo[40:136, 150:290])
    blurred = cv2.blur(view, (9, 9))
    wanted = (2, 3, 9, 14)
    frames = [view if i in wanted else blurred for i in range(16)]
    told: list[tuple[int, int]] = []
    chosen = find_sharp(ArrayFrames(frames), [False] * 16, on_frame=lambda done, total: told.append((done, total)))
    assert chosen.sharp == wanted and chosen.verdict == "mixed"
    assert told == [(i + 1, 16) for i in range(16)]
    assert chosen.sharpness[2] == pytest.approx(cv2.Laplacian(view, cv2.CV_64F).var(), rel=1e-4)


def test_a_clip_of_one_class_is_told_by_its_blur():
    view = np.ascontiguousarray(skimage.data.rocket()[100:300, 100:400])
    assert find_sharp(ArrayFrames([view] * 3), [True, False, False]).verdict == "all-sharp"
    assert find_sharp(ArrayFrames([cv2.blur(view, (15, 15))] * 3), [True, False, False]).verdict == "none-sharp"


def test_blur_effect_grows_with_blur():
    sharp = np.ascontiguousarray(skimage.data.rocket()[100:300, 100:400])
    view = ArrayFrames([sharp, cv2.blur(sharp, (9, 9))])
    assert blur_effect(view.tensor(0)) < SharpConfig().blurry_above < blur_effect(view.tensor(1))


@pytest.mark.parametrize("side", [4, 16])
def test_flat_frames_are_no_trouble(side):
    grey = np.full((side, side, 3), 128, np.uint8)
    assert find_sharp(ArrayFrames([grey] * 3), [True, False, False]).verdict == "none-sharp"


def test_frames_of_one_pixel_are_no_trouble():
    assert find_sharp(ArrayFrames([np.zeros((1, 1, 3), np.uint8)]), [True]).sharp == (0,)


def test_a_sharper_guide_may_be_a_little_farther_but_not_much():
    scores = [100.0] * 60
    scores[8], scores[50] = 200.0, 200.0
    chosen = Selection(tuple(scores), tuple(scores), 50.0, (8, 10, 13, 50), (), "mixed")
    # 200 e^(-4/16) beats 100 e^(-2/16); 200 e^(-38/16) does not beat 100 e^(-1/16).
    assert chosen.around(12, 1) == (8, 13)


def test_models_are_sharp_and_nearly_the_best_around():
    scores = (100.0, 89.0, 91.0, 10.0)
    chosen = Selection(scores, scores, 50.0, (0, 1, 2, 3), (3,), "mixed")
    assert [chosen.is_model(i) for i in range(4)] == [True, False, True, False]


@pytest.mark.parametrize("size", [(16, 4000), (4000, 16), (5, 900), (4, 4)])
def test_blur_of_extreme_shapes_is_measured_without_a_warning(size):
    noise = torch.rand(3, *size, generator=torch.Generator().manual_seed(0))
    assert blur_effect(noise) < blur_effect(torch.zeros(3, *size)) == 1.0


def in_turn(photo: np.ndarray) -> list[np.ndarray]:
    """Every third frame sharp."""
    view = cv2.resize(photo, (240, 160), interpolation=cv2.INTER_AREA).astype(float)
    return [view if i % 3 == 0 else cv2.blur(view, (9, 9)) for i in range(30)]


def with_noise(clean: list[np.ndarray], spread: float, rng: np.random.Generator) -> ArrayFrames:
    noisy = (np.clip(0.5 * image + rng.normal(0, spread, image.shape), 0, 255) for image in clean)
    return ArrayFrames([image.astype(np.uint8) for image in noisy])


def test_noise_does_not_hide_which_frames_are_sharp(photo, rng):
    """In heavy noise they are measured at half the size, and nothing is handed through."""
    clean = in_turn(photo)
    chosen = find_sharp(with_noise(clean, 5, rng), [False] * 30)
    assert chosen.noisy and chosen.halved and chosen.sharp == tuple(range(0, 30, 3))
    assert not any(chosen.is_model(i) for i in range(30))
    calm = find_sharp(with_noise(clean, 0, rng), [False] * 30)
    assert not calm.noisy and not calm.halved
    assert calm.sharp == chosen.sharp and all(calm.is_model(i) for i in calm.sharp)


def test_a_clip_may_be_noisy_and_measured_at_full_size(photo, rng):
    """How much noise is little hangs on two thresholds, one for each."""
    shown = with_noise(in_turn(photo), 3, rng)
    whole, halved = (find_sharp(shown, [False] * 30, SharpConfig(halved_below=below)) for below in (0.5, 1.2))
    assert whole.noisy and not whole.halved and halved.noisy and halved.halved
    assert whole.sharpness[0] == pytest.approx(float(laplacian_variance(shown.tensor(0)[None])))
    assert whole.sharpness[1] > 1.5 * halved.sharpness[1]
