"""RSCR takes sharp clues out, never blurry ones; SIS decides as Eq. 8 says."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selfhvd.method.rscr import remove_sharp_clues, stand_ins
from selfhvd.method.sis import prefers_sharp_frame


@given(sharp=st.sets(st.integers(0, 79), min_size=1), seed=st.integers(0, 1000), segment=st.sampled_from([1, 7, 20]))
def test_each_segment_loses_one_to_all_of_its_clues(sharp, seed, segment):
    removed = remove_sharp_clues(sorted(sharp), segment, np.random.default_rng(seed))
    assert removed <= sharp
    assert {j // segment for j in removed} == {j // segment for j in sharp}
    assert removed == remove_sharp_clues(sorted(sharp), segment, np.random.default_rng(seed))


def test_the_count_is_uniform_and_each_clue_goes_as_often(rng):
    """n is uniform in 1..4, so a clue goes with probability 2.5 / 4."""
    draws = [remove_sharp_clues([2, 5, 11, 19], 20, rng) for _ in range(2000)]
    counts = Counter(len(d) for d in draws)
    assert sorted(counts) == [1, 2, 3, 4]
    assert all(abs(n / 2000 - 0.25) < 0.05 for n in counts.values())
    assert all(abs(sum(j in d for d in draws) / 2000 - 0.625) < 0.05 for j in (2, 5, 11, 19))


def test_segments_are_counted_from_frame_zero(rng):
    """19 and 20 are in different segments, so both go whenever each is alone there."""
    assert remove_sharp_clues([19, 20], 20, rng) == {19, 20}


def test_nothing_sharp_nothing_removed(rng):
    assert remove_sharp_clues([], 20, rng) == frozenset()


def test_a_removed_frame_gives_way_to_the_closest_blurry_one():
    blurry_around = ([10, 11, 12, 13, 14], [False, True, False, True, False])
    assert stand_ins(*blurry_around, {11}) == (0, 0, 2, 3, 4)  # tie: the earlier
    assert stand_ins(*blurry_around, {13}) == (0, 1, 2, 2, 4)
    assert stand_ins(*blurry_around, {11, 13}) == (0, 0, 2, 2, 4)


def test_closeness_is_in_time_not_in_position():
    assert stand_ins([0, 5, 6], [False, True, False], {5}) == (0, 2, 2)
    assert stand_ins([0, 1, 6], [False, True, False], {1}) == (0, 0, 2)


def test_the_one_who_stands_in_is_never_sharp():
    assert stand_ins([0, 1, 2, 3], [False, True, True, True], {2, 3}) == (0, 1, 0, 0)


def test_without_blurry_frames_nothing_changes():
    assert stand_ins([0, 1, 2], [True, True, True], {0, 1, 2}) == (0, 1, 2)


def test_frames_that_were_not_removed_stay():
    assert stand_ins([0, 1, 2], [False, True, False], {7}) == (0, 1, 2)


def texture(strength: float) -> torch.Tensor:
    """A checker whose v_l goes with the square of `strength`."""
    y, x = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    return (0.5 + strength * (((x + y) % 2).float() - 0.5)).expand(1, 3, 8, 8)


def prefers(label, own, *, mask=None, visible=0.9, least=0.5, oversharp=1.2) -> bool:
    mask = torch.ones(1, 1, 8, 8) if mask is None else mask
    return prefers_sharp_frame(label, mask, torch.tensor([visible]), own, least, oversharp).item()


@pytest.mark.parametrize(
    ("label", "own", "visible", "wanted"),
    [
        (0.4, 0.2, 0.51, True),
        (0.4, 0.2, 0.5, False),  # p > tau is strict
        (0.4, 0.2, 0.1, False),
        (0.4, 0.41, 0.9, False),  # the output is sharper, but not too sharp: 1.05 times
        (0.4, 0.4, 0.9, False),  # equal is not sharper
        (0.4, 0.43, 0.9, False),  # 1.16 times
        (0.4, 0.45, 0.9, True),  # 1.27 times: artefacts
        (0.4, 0.45, 0.1, True),
    ],
)
def test_decisions(label, own, visible, wanted):
    assert prefers(texture(label), texture(own), visible=visible) is wanted


def test_the_papers_letter_has_no_bound():
    assert prefers(texture(0.4), texture(0.45), oversharp=float("inf")) is False


def test_only_what_the_mask_shows_is_compared():
    """Left, the label is sharper; right, where the mask hides it, the output is by far."""
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    own = texture(0.2).clone()
    own[..., 4:] = texture(0.9)[..., 4:]
    assert prefers(texture(0.4), own, mask=mask, oversharp=float("inf"))
    assert not prefers(texture(0.4), own, oversharp=float("inf"))


def test_holes_of_the_mask_are_no_edges_of_the_label():
    """A flat label full of holes is not sharper than the same output seen through the same holes."""
    mask = texture(1.0)[:, :1]
    assert prefers(texture(0.0), texture(0.0), mask=mask) is False


def test_nothing_visible_means_the_own_output():
    assert prefers(texture(0.4), texture(0.2), mask=torch.zeros(1, 1, 8, 8), visible=0.0) is False


def test_each_item_of_a_batch_is_decided_on_its_own():
    label, own = texture(0.4).expand(2, 3, 8, 8), texture(0.2).expand(2, 3, 8, 8)
    decided = prefers_sharp_frame(label, torch.ones(2, 1, 8, 8), torch.tensor([0.9, 0.2]), own, 0.5, 1.2)
    assert decided.tolist() == [True, False]
