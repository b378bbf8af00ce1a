"""Blur condition: a known motion comes out as it is, lengths follow the frames around."""

import numpy as np
import pytest
import torch
from clip_for_baselines import STEP, Exact, Numbered, sliding

from selfhvd.flow import Dis
from selfhvd.research.baselines.blur_condition import ConditionConfig, blur_condition, motion

BARE = ConditionConfig(floor=0.0)


def uniform(x: float, y: float) -> Exact:
    return Exact(torch.tensor([float(x), float(y)]).view(1, 2, 1, 1))


@pytest.mark.parametrize("index", [0, 1, 4, 7, 8])
def test_uniform_motion(index):
    frames = Numbered(9)
    condition = blur_condition(frames, index, uniform(3, -4), BARE)
    assert torch.equal(motion(frames, index, uniform(3, -4))[0, :, 5, 6], torch.tensor([3.0, -4.0]))
    torch.testing.assert_close(condition.direction[0, :, 5, 6], torch.tensor([0.6, -0.8]))
    torch.testing.assert_close(condition.length, torch.full((1, 1, 48, 48), 5.0))


def test_motion_seen_by_a_real_flow():
    """The view moves to the right, so what it shows moves to the left."""
    field = motion(sliding(sharp=tuple(range(18))), 8, Dis())
    inner = field[0, :, 16:-16, 16:-16].flatten(1).median(dim=1).values
    np.testing.assert_allclose(inner.numpy(), [-STEP, 0], atol=0.1)


def test_length_is_the_own_shape_times_the_typical_size_around():
    """Twice as fast in the right half: its own maximum is 8; around it all frames move likewise."""
    field = torch.zeros(1, 2, 48, 48)
    field[:, 0, :, :24], field[:, 0, :, 24:] = 4, 8
    length = blur_condition(Numbered(9), 4, Exact(field), BARE).length
    assert length[0, 0, 0, 0] == pytest.approx(4 / 8 * 4) and length[0, 0, 0, 40] == pytest.approx(8 / 8 * 8)
    # Too near the end for four neighbours: its own.
    assert blur_condition(Numbered(9), 2, Exact(field), BARE).length[0, 0, 0, 0] == pytest.approx(4)


def test_frames_around_lend_their_length():
    """A frame at rest among moving ones stays without direction; a moving one among frames at rest hardly blurs."""
    at_rest = blur_condition(Moving((0, 0, 0, 0, 0, 0, 6, 6, 6)), 4, uniform(1, 0), BARE)
    assert at_rest.length.max() == 0 and at_rest.direction.abs().max() == 0
    # It moves by 1, and frames 2, 3, 5 and 6 by 0, 1, 0 and 0.
    lonely = blur_condition(Moving((0, 0, 0, 0, 2, 2, 2, 2, 2)), 4, uniform(1, 0), BARE)
    assert lonely.length.unique().tolist() == pytest.approx([0.25])


class Moving(Numbered):
    """Frames coloured by where they are."""

    def __init__(self, places: tuple[int, ...]) -> None:
        super().__init__(len(places))
        self.places = places

    def tensor(self, index: int) -> torch.Tensor:
        return super().tensor(self.places[index])


def test_shutter_and_floor():
    condition = blur_condition(Numbered(9), 4, uniform(6, 0), ConditionConfig(shutter=0.5))
    assert condition.length[0, 0, 0, 0] == pytest.approx(3 + 10 * 48 / 720)


def test_stillness_has_no_direction():
    condition = blur_condition(Numbered(9), 4, uniform(0, 0))
    assert condition.direction.abs().max() == 0 and condition.direction.isfinite().all()
    assert condition.length.min() == pytest.approx(10 * 48 / 720)
