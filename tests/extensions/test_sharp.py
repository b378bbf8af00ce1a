"""Selecting sharp frames: the paper's threshold and segments, the pulse of key frames, ours by blur, what is left."""

import math

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st

from selfhvd.errors import UsageError
from selfhvd.extensions.selection import Selection, SharpConfig, find_sharp, select_sharp, without_key_pulse
from selfhvd.method.sharp_frames import laplacian_variance
from selfhvd.video.frame_source import ArrayFrames


def select(scores, keys=(), segment=20) -> Selection:
    """By the paper's rule."""
    keyframes = [i in keys for i in range(len(scores))]
    config = SharpConfig(rule="otsu", segment=segment)
    return select_sharp([float(s) for s in scores], keyframes, [0.0] * len(scores), config)


def by_blur(lengths, **config) -> Selection:
    """By ours; v_l says nothing."""
    return select_sharp([1.0] * len(lengths), [False] * len(lengths), lengths, SharpConfig(**config))


def selection(*sharp: int, count: int = 12) -> Selection:
    return Selection((1.0,) * count, (1.0,) * count, 0.5, sharp, (), "mixed")


def test_two_clear_clusters():
    scores = [900 + i if i % 3 == 1 else 100 for i in range(40)]
    chosen = select(scores)
    assert chosen.sharp == tuple(range(1, 40, 3))
    assert chosen.by_segment == ()
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


def test_equal_scores_are_all_above():
    """Otsu has nothing to split."""
    assert select([70] * 45).sharp == tuple(range(45)) and select([5]).sharp == (0,)


@pytest.mark.parametrize("rule", ["blur", "otsu"])
def test_what_is_left_is_told_by_blur_under_either_rule(rule):
    """Twenty blurred frames: those and the seconds around them are restored, the rest comes back as it came."""
    lengths = [5.0 if 100 <= i < 120 else 0.4 for i in range(300)]
    chosen = by_blur(lengths, rule=rule)
    assert [i for i, left in enumerate(chosen.left("blurry")) if not left] == list(range(100, 120))
    assert [i for i, left in enumerate(chosen.left("auto")) if not left] == list(range(45, 174))
    assert not any(chosen.left("all")) and chosen.verdict == "mixed"


def test_few_blurred_frames_in_a_thousand_are_restored_alone():
    for few in ([100, 500, 900], [500, 501, 502]):
        chosen = by_blur([7.0 if i in few else 0.5 for i in range(1000)])
        assert [i for i, left in enumerate(chosen.left("auto")) if not left] == few


def test_nothing_blurred_is_nothing_to_do():
    chosen = by_blur([0.9] * 30)
    assert chosen.verdict == "all-sharp" and all(chosen.left("auto")) and not any(chosen.left("all"))


def test_what_cannot_be_told_is_not_left():
    chosen = by_blur([math.inf] * 30)
    assert chosen.verdict == "none-sharp" and not any(chosen.left("auto"))
    assert chosen.sharp == chosen.by_segment == (0, 20)


def test_the_best_stand_in_where_no_frame_is_sharp():
    """Every third frame reads twice as sharp as the others: sharp none is, but these are what there is."""
    scores, lengths = ([b if i % 3 else a for i in range(40)] for a, b in ((200.0, 100.0), (2.0, 4.0)))
    chosen = select_sharp(scores, [False] * 40, lengths)
    assert chosen.verdict == "none-sharp"
    assert chosen.sharp == chosen.by_segment == tuple(range(0, 40, 3))


def test_a_hair_of_blur_changes_little():
    """Lengths on either side of every threshold: what is left differs by the frame that moved, not by the clip."""
    near, beyond = ([0.5] * 30 + [length] + [0.5] * 30 for length in (1.19, 1.21))
    assert sum(by_blur(near).left("auto")) - sum(by_blur(beyond).left("auto")) == 1
    sharp, blurred = ([3.0 if i % 2 else length for i in range(60)] for length in (1.49, 1.51))
    assert by_blur(sharp).left("auto") == by_blur(blurred).left("auto")


def test_a_person_names_the_sharp_frames():
    chosen = by_blur([0.4] * 40, named=(3, 17))
    assert chosen.sharp == (3, 17) and chosen.by_segment == () and chosen.named
    assert [i for i, left in enumerate(chosen.left("blurry")) if left] == [3, 17]
    assert not any(chosen.left("auto"))
    with pytest.raises(UsageError, match="no frame 40"):
        by_blur([0.4] * 40, named=(3, 40))


def test_key_frames_do_not_pass_for_sharp_ones(rng):
    """Every tenth frame is a key frame and reads 1.4 times as sharp: without the correction they alone are chosen."""
    keys = range(0, 200, 10)
    scores = rng.normal(100, 5, size=200)
    scores[keys] *= 1.4
    chosen = select(scores, keys)
    assert len(set(chosen.sharp) & set(keys)) / len(keys) == pytest.approx(len(chosen.sharp) / 200, abs=0.25)
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


def test_guiding_takes_more_of_one_side_where_the_other_has_fewer():
    chosen = selection(1, 3, 6, 9)
    assert chosen.guiding(4, 2) == (3, 6, 1, 9)
    assert chosen.guiding(3, 2) == (1, 6, 9)
    assert chosen.guiding(0, 2) == (1, 3, 6, 9)
    assert chosen.guiding(11, 1) == (9, 6)
    assert chosen.guiding(4, 0) == ()


@given(
    scores=st.lists(st.floats(0, 1e5), min_size=1, max_size=70),
    keys=st.sets(st.integers(0, 69)),
    segment=st.integers(1, 25),
    rule=st.sampled_from(["otsu", "blur"]),
)
def test_every_segment_has_a_chosen_frame(scores, keys, segment, rule):
    lengths = [score / 1e4 for score in scores]
    keyframes = [i in keys for i in range(len(scores))]
    chosen = select_sharp(scores, keyframes, lengths, SharpConfig(rule=rule, segment=segment))
    assert list(chosen.sharp) == sorted(set(chosen.sharp))
    assert {j // segment for j in chosen.sharp} == set(range((len(scores) + segment - 1) // segment))
    assert chosen.sharp[-1] < len(scores)
    assert set(chosen.by_segment) <= set(chosen.sharp)
    assert 0 <= chosen.ratio <= 1
    assert (chosen.verdict == "all-sharp") == all(chosen.left("auto"))


def test_finds_the_sharp_frames_of_a_clip(photo):
    view = np.ascontiguousarray(photo[40:136, 150:290])
    blurred = cv2.blur(view, (9, 9))
    wanted = (2, 3, 9, 14)
    frames = [view if i in wanted else blurred for i in range(16)]
    told: list[tuple[int, int]] = []
    chosen = find_sharp(ArrayFrames(frames), [False] * 16, on_frame=lambda done, total: told.append((done, total)))
    assert tuple(i for i in range(16) if chosen.is_sharp(i)) == wanted and chosen.verdict == "mixed"
    assert told == [(i + 1, 16) for i in range(16)]
    assert chosen.sharpness[2] == pytest.approx(cv2.Laplacian(view, cv2.CV_64F).var(), rel=1e-4)


def test_a_still_clip_is_left_whatever_it_shows():
    """Soft as it may be, nothing in it is smeared further than the rest: there is nothing to bring back."""
    view = np.ascontiguousarray(skimage.data.rocket()[100:300, 100:400])
    for shown in (view, cv2.GaussianBlur(view, (0, 0), 3), np.full_like(view, 128)):
        assert find_sharp(ArrayFrames([shown] * 3), [True, False, False]).verdict == "all-sharp"


@pytest.mark.parametrize("side", [1, 4, 16])
def test_frames_too_small_to_tell_are_not_left(side):
    grey = np.full((side, side, 3), 128, np.uint8)
    chosen = find_sharp(ArrayFrames([grey] * 3), [True, False, False])
    assert chosen.verdict == "none-sharp" and chosen.sharp == (0,) and not any(chosen.left("auto"))


def test_a_sharper_guide_may_be_a_little_farther_but_not_much():
    scores = [100.0] * 60
    scores[8], scores[50] = 200.0, 200.0
    chosen = Selection(tuple(scores), tuple(scores), 50.0, (8, 10, 13, 50), (), "mixed")
    # 200 e^(-4/16) beats 100 e^(-2/16); 200 e^(-38/16) does not beat 100 e^(-1/16).
    assert chosen.around(12, 1) == (8, 13)


def in_turn(photo: np.ndarray) -> list[np.ndarray]:
    """Every third frame sharp."""
    view = cv2.resize(photo, (240, 160), interpolation=cv2.INTER_AREA).astype(float)
    return [view if i % 3 == 0 else cv2.blur(view, (9, 9)) for i in range(30)]


def with_noise(clean: list[np.ndarray], spread: float, rng: np.random.Generator) -> ArrayFrames:
    noisy = (np.clip(0.5 * image + rng.normal(0, spread, image.shape), 0, 255) for image in clean)
    return ArrayFrames([image.astype(np.uint8) for image in noisy])


@pytest.mark.slow
def test_noise_does_not_hide_which_frames_are_sharp(photo, rng):
    clean = in_turn(photo)
    heavy, calm = (find_sharp(with_noise(clean, spread, rng), [False] * 30) for spread in (5, 0))
    assert heavy.noise == heavy.halved == 1 and heavy.noisy
    assert calm.noise == calm.halved == 0 and not calm.noisy
    for chosen in (heavy, calm):
        assert [i for i in range(30) if chosen.is_sharp(i)] == list(range(0, 30, 3))


@pytest.mark.slow
@pytest.mark.unchecked
def test_between_noise_and_none_there_is_a_slope(photo, rng):
    """A little more noise never changes much."""
    clean = in_turn(photo)[:12]
    spreads = np.linspace(0.9, 1.6, 8)
    levels = [find_sharp(with_noise(clean, s, np.random.default_rng(0)), [False] * 12) for s in spreads]
    noise, halved = ([getattr(found, name) for found in levels] for name in ("noise", "halved"))
    for slope in (noise, halved):
        assert slope[0] == 0 and slope[-1] == 1 and slope == sorted(slope)
        assert any(0.05 < value < 0.95 for value in slope)


@pytest.mark.slow
def test_scores_go_over_to_half_the_size_while_sharpness_stays_as_measured(photo, rng):
    shown = with_noise(in_turn(photo), 5, rng)
    chosen = find_sharp(shown, [False] * 30)
    assert chosen.sharpness[0] == pytest.approx(float(laplacian_variance(shown.tensor(0)[None])))
    assert chosen.scores[1] < 0.5 * chosen.sharpness[1]
