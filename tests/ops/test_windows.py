"""Windows cover a clip once, and their weights add up to one."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selfhvd.ops.windows import blend_weights, windows


def test_by_hand():
    assert list(windows(13, 5, 2)) == [(0, 5), (3, 8), (6, 11), (9, 13)]
    assert list(windows(11, 5, 2)) == [(0, 5), (3, 8), (6, 11)]
    assert list(windows(3, 5, 2)) == [(0, 3)]
    assert list(windows(3, 1, 0)) == [(0, 1), (1, 2), (2, 3)]


@pytest.mark.parametrize("overlap", [5, 6, -1])
def test_impossible_overlap_is_refused(overlap):
    with pytest.raises(ValueError, match=f"windows of 5 frames cannot overlap by {overlap}"):
        list(windows(9, 5, overlap))


def test_weights_by_hand():
    torch.testing.assert_close(blend_weights(5, 2, 2), torch.tensor([1 / 3, 2 / 3, 1, 2 / 3, 1 / 3]))
    torch.testing.assert_close(blend_weights(4, 0, 1), torch.tensor([1, 1, 1, 0.5]))
    assert blend_weights(3, 0, 0).tolist() == [1, 1, 1]


@given(count=st.integers(1, 60), size=st.integers(1, 12), overlap=st.integers(0, 11))
def test_neighbours_share_exactly_the_overlap(count, size, overlap):
    overlap = min(overlap, size - 1)
    ranges = list(windows(count, size, overlap))
    assert ranges[0][0] == 0 and ranges[-1][1] == count
    assert all(0 < end - start <= size for start, end in ranges)
    assert all(before[1] - after[0] == overlap for before, after in pairwise(ranges))


@given(count=st.integers(1, 60), size=st.integers(1, 12), overlap=st.integers(0, 6))
def test_weights_add_up_to_one_on_every_frame(count, size, overlap):
    """Where no frame is in more than two windows."""
    overlap = min(overlap, size // 2)
    ranges = list(windows(count, size, overlap))
    total = torch.zeros(count)
    for n, (start, end) in enumerate(ranges):
        fade_in, fade_out = overlap if n else 0, overlap if n + 1 < len(ranges) else 0
        total[start:end] += blend_weights(end - start, fade_in, fade_out)
    torch.testing.assert_close(total, torch.ones(count))
