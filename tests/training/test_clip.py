"""Which frames of a clip are trained on."""

from selfhvd.extensions.selection import Selection
from selfhvd.training.clip import training_frames

ONES = (1.0,) * 30
CHOSEN = Selection(ONES, ONES, 0.5, tuple(range(10)), (), "mixed")


def test_blurry_frames_and_a_few_sharp_ones():
    frames = training_frames(CHOSEN, 30, 12)
    assert len(frames) == 12 and sum(CHOSEN.is_sharp(i) for i in frames) == 2
    assert frames[-1] == 29 and list(frames) == sorted(set(frames))


def test_all_frames_alike_where_the_truth_is_taught():
    assert training_frames(CHOSEN, 30, 10, evenly=True) == (0, 3, 6, 10, 13, 16, 19, 23, 26, 29)


def test_runs_for_networks_that_look_at_several_frames():
    assert training_frames(CHOSEN, 30, 12, run=6) == (*range(6), *range(24, 30))
