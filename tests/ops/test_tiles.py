"""Tiles cover a frame, blend to the whole, and shrink with the memory."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selfhvd.ops.tiles import spans, tiled
from selfhvd.system.memory import free_bytes, is_out_of_memory, tile_side


@given(st.integers(1, 400), st.integers(2, 120), st.data())
def test_spans_cover_everything_and_overlap_enough(length, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    found = spans(length, size, overlap)
    assert found[0][0] == 0 and found[-1][1] == length
    assert all(end - start == min(size, length) for start, end in found)
    assert all(first[1] - second[0] >= overlap for first, second in pairwise(found))


def test_spans_refuse_an_overlap_as_large_as_the_tile():
    with pytest.raises(ValueError, match="cannot overlap"):
        spans(100, 32, 32)


@given(st.integers(20, 90), st.integers(20, 90), st.integers(16, 64), st.integers(0, 12))
def test_tiles_of_a_pointwise_function_blend_to_the_whole(height, width, size, overlap):
    clip = torch.rand(1, 2, 3, height, width, generator=torch.Generator().manual_seed(0))
    trust = clip[:, :, :1].clone()

    def run(images):
        return images[0] * 2 + images[1]

    torch.testing.assert_close(tiled(run, [clip, trust], size, overlap), clip * 2 + trust)


def test_where_two_tiles_meet_they_share_linearly():
    """Two tiles of 8 over 12 columns share 4: the second one's share rises 1/5, 2/5, 3/5, 4/5."""
    clip = torch.zeros(1, 1, 3, 8, 12)
    seen: list[int] = []

    def run(images):
        seen.append(len(seen))
        return torch.full_like(images[0], float(seen[-1]))

    row = tiled(run, [clip], 8, 4)[0, 0, 0, 0]
    wanted = [0.0] * 4 + [0.2, 0.4, 0.6, 0.8] + [1.0] * 4
    assert len(seen) == 2 and row.tolist() == pytest.approx(wanted)


def test_a_frame_that_fits_is_one_tile():
    assert tile_side(720, 1280, 10, 1000, free=2 * 720 * 1280 * 10 * 1000, least=128) is None


def test_a_tile_takes_half_of_the_free_memory():
    assert tile_side(2160, 3840, 10, 1000, free=2 * 10 * 1000 * 500**2, least=128) == 500
    assert tile_side(2160, 3840, 10, 1000, free=1, least=128) == 128


def test_free_memory_is_some():
    assert free_bytes(torch.device("cpu")) > 1 << 20


def test_out_of_memory_is_told_from_other_faults():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shapes differ"))
