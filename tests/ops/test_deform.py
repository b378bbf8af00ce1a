"""Sampling between pixels against torchvision's deformable convolution, and its small helpers by hand."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

from selfhvd.ops.deform import bounded, neighbourhoods, precise, rows_at_once, sample_guided


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("groups", [1, 4])
def test_with_a_matrix_it_is_deformable_convolution(groups):
    """Values and gradients of all inputs; offsets lead outside the picture too."""
    x, weight = drawn(2, 8, 5, 7, seed=0), drawn(3, 8, 3, 3, seed=1)
    offsets = drawn(2, groups * 18, 5, 7, seed=2)
    still = torch.zeros(2, 2, 5, 7, dtype=torch.float64)
    columns = sample_guided(x, neighbourhoods(still), 3 * offsets)
    ours = F.conv2d(columns.flatten(1, 3), weight.flatten(1)[..., None, None])
    theirs = deform_conv2d(x, 3 * offsets, weight, padding=1)
    torch.testing.assert_close(ours, theirs)
    towards = drawn(2, 3, 5, 7, seed=3).detach()
    inputs = (x, weight, offsets)
    for mine, other in zip(
        torch.autograd.grad(ours, inputs, towards), torch.autograd.grad(theirs, inputs, towards), strict=True
    ):
        torch.testing.assert_close(mine, other)


def test_rows_can_be_taken_alone():
    x, flow, offsets = drawn(1, 4, 6, 5, seed=0), drawn(1, 2, 6, 5, seed=1), drawn(1, 36, 6, 5, seed=2)
    places = neighbourhoods(flow)
    whole = sample_guided(x, places, offsets)
    part = sample_guided(x, places[..., 2:4, :], offsets[..., 2:4, :])
    torch.testing.assert_close(part, whole[..., 2:4, :])


def test_a_picture_of_one_pixel():
    x = torch.tensor([[[[3.0]]]])
    columns = sample_guided(x, neighbourhoods(torch.zeros(1, 2, 1, 1)), torch.zeros(1, 18, 1, 1))
    assert columns[0, 0, 0, 4] == 3.0


def test_neighbourhoods_go_row_by_row_around_where_the_flow_points():
    flow = torch.zeros(1, 2, 4, 5)
    flow[0, :, 1, 3] = torch.tensor([10.0, 20.0])
    taps = neighbourhoods(flow)[0, :, :, 1, 3].tolist()
    assert taps == [[13.0 + x, 21.0 + y] for y in (-1, 0, 1) for x in (-1, 0, 1)]


def test_bounded_is_the_hyperbolic_tangent():
    x = torch.linspace(-20, 20, 401, dtype=torch.float64)
    torch.testing.assert_close(bounded(x, 10.0), 10 * x.tanh())


def test_precise_raises_what_is_coarse_only():
    assert [precise(torch.ones(1, dtype=t)).dtype for t in (torch.bfloat16, torch.float32, torch.float64)] == [
        torch.float32,
        torch.float32,
        torch.float64,
    ]


def test_the_wider_the_picture_the_fewer_rows_but_always_one():
    rows = [rows_at_once(torch.zeros(4, width), values=64) for width in (16, 32, 64)]
    assert rows[0] == 2 * rows[1] == 4 * rows[2] > 4
    assert rows_at_once(torch.zeros(4, 10**4), values=10**6) == 1
