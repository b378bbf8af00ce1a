"""Masks on constructed flows, whose round trips are known exactly."""

import pytest
import torch

from selfhvd.method.masks import in_frame, occlusion, uncertainty

HEIGHT, WIDTH = 6, 12
CENTRE = (slice(None), slice(None), slice(2, 4), slice(4, 8))
"""Pixels that no flow of these tests leads out of the frame."""


def constant(x: float, y: float) -> torch.Tensor:
    return torch.tensor([x, y], dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, HEIGHT, WIDTH).clone()


def test_exact_round_trip_is_trusted():
    mask = occlusion(constant(2, -1), constant(-2, 1), 0.2)
    torch.testing.assert_close(mask[CENTRE], torch.ones_like(mask[CENTRE]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("error", "wanted"),
    [((1, 0), 0.8), ((0, -2), 0.6), ((1.5, 2), 0.5), ((4.5, 0), 0.1), ((5, 0), 0), ((3, 4), 0), ((30, 40), 0)],
)
def test_trust_falls_with_the_length_of_the_error(error, wanted):
    """1 - 0.2 |e|: nothing is left from 5 pixels on, and never less than nothing."""
    mask = occlusion(constant(2, -1), constant(-2 + error[0], 1 + error[1]), 0.2)
    torch.testing.assert_close(mask[CENTRE], torch.full_like(mask[CENTRE], wanted), atol=1e-5, rtol=0)


def test_strength_is_per_pixel():
    mask = occlusion(constant(0, 0), constant(1, 0), 0.8)
    torch.testing.assert_close(mask[CENTRE], torch.full_like(mask[CENTRE], 0.2), atol=1e-5, rtol=0)


def test_way_back_is_looked_up_where_the_way_out_ends():
    """The flow back is right left of column 6 only; with a flow of 3, columns 0..2 end left of it."""
    backward = constant(-3, 0)
    backward[..., 6:] = 0
    mask = occlusion(constant(3, 0), backward, 0.2)[0, 0]
    torch.testing.assert_close(mask[:, :3], torch.ones(HEIGHT, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(mask[:, 3:6], torch.full((HEIGHT, 3), 0.4), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("flow", "columns", "rows"),
    [
        ((0, 0), range(WIDTH), range(HEIGHT)),
        ((1, 0), range(WIDTH - 1), range(HEIGHT)),
        ((-1, 0), range(1, WIDTH), range(HEIGHT)),
        ((0.5, 0), range(WIDTH - 1), range(HEIGHT)),
        ((0, 2), range(WIDTH), range(HEIGHT - 2)),
        ((0, -0.25), range(WIDTH), range(1, HEIGHT)),
        ((WIDTH - 1, 0), range(1), range(HEIGHT)),
        ((WIDTH, 0), range(0), range(HEIGHT)),
    ],
)
def test_in_frame_to_the_last_pixel(flow, columns, rows):
    wanted = torch.zeros(1, 1, HEIGHT, WIDTH)
    wanted[..., rows.start : rows.stop, columns.start : columns.stop] = 1
    assert torch.equal(in_frame(constant(*flow)), wanted)


def test_both_directions_must_be_sure():
    sure = torch.full((1, 1, HEIGHT, WIDTH), 0.5)
    other = torch.linspace(0, 1.1, WIDTH).expand(1, 1, HEIGHT, WIDTH) / 1.1
    product = uncertainty(sure, other, constant(1, 0))[0, 0]
    wanted = torch.cat([0.5 * other[0, 0, :, 1:], torch.zeros(HEIGHT, 1)], dim=1)
    torch.testing.assert_close(product, wanted, atol=1e-5, rtol=0)
