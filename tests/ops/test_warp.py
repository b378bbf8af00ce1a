"""The warp: direction, units, channel order and borders, on numbers worked out by hand."""

import pytest
import torch

from selfhvd.ops.grid import pixel_grid, to_sampler
from selfhvd.ops.warp import resize_flow, warp, warp_clamped

WIDTH, HEIGHT = 9, 7


def constant_flow(x: float, y: float, height: int = HEIGHT, width: int = WIDTH, dtype=torch.float32):
    return torch.tensor([x, y], dtype=dtype).view(1, 2, 1, 1).expand(1, 2, height, width).clone()


def ramp() -> torch.Tensor:
    """3x3, value x + 10 y."""
    x, y = pixel_grid(3, 3, like=torch.zeros(1))
    return (x + 10 * y)[None, None]


def test_grid_holds_x_first():
    x, y = pixel_grid(2, 3, like=torch.zeros(1, dtype=torch.float64))
    assert x.tolist() == [[0, 1, 2], [0, 1, 2]]
    assert y.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert x.dtype == torch.float64


def test_sampler_coordinates_reach_one_at_pixel_centres_of_the_border():
    sampler = to_sampler(pixel_grid(3, 5, like=torch.zeros(1))[None])
    assert sampler.shape == (1, 3, 5, 2)
    assert sampler[0, 0, 0].tolist() == [-1, -1]
    assert sampler[0, 0, 4].tolist() == [1, -1]
    assert sampler[0, 2, 0].tolist() == [-1, 1]
    assert sampler[0, 1, 2].tolist() == [0, 0]
    assert sampler[0, 1, 1].tolist() == [-0.5, 0]


def test_sampler_survives_an_image_of_one_pixel():
    assert to_sampler(torch.zeros(1, 2, 1, 1)).isfinite().all()


def test_dot_moves_against_the_flow():
    """warp(X, flow)(p) = X(p + flow): the dot at (5, 2) is seen from (3, 3) with flow (2, -1)."""
    image = torch.zeros(1, 1, HEIGHT, WIDTH)
    image[0, 0, 2, 5] = 1
    warped = warp(image, constant_flow(2, -1))
    wanted = torch.zeros_like(image)
    wanted[0, 0, 3, 3] = 1
    torch.testing.assert_close(warped, wanted, atol=1e-5, rtol=0)


def test_zero_flow_changes_nothing():
    image = torch.rand(2, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(warp(image, torch.zeros(2, 2, HEIGHT, WIDTH)), image, atol=1e-5, rtol=0)


def test_half_a_pixel_is_the_mean_of_its_neighbours():
    warped = warp(ramp(), constant_flow(0.5, 0.5, 3, 3))[0, 0]
    assert warped[0, 0].item() == pytest.approx(5.5)  # (0 + 1 + 10 + 11) / 4
    assert warped[1, 1].item() == pytest.approx(16.5)  # (11 + 12 + 21 + 22) / 4
    assert warped[0, 2].item() == pytest.approx(3.5)  # (2 + 12 + zero + zero) / 4


def test_a_quarter_pixel_weighs_each_axis_on_its_own():
    warped = warp(ramp(), constant_flow(0.25, 0.75, 3, 3))[0, 0]
    assert warped[0, 0].item() == pytest.approx(0.25 + 7.5)


def test_outside_is_zero_but_the_border_when_clamped():
    assert warp(ramp() + 1, constant_flow(100, 0, 3, 3)).abs().max() == 0
    right = warp_clamped(ramp(), constant_flow(100, 0, 3, 3))[0, 0]
    assert right.tolist() == [[2] * 3, [12] * 3, [22] * 3]
    above = warp_clamped(ramp(), constant_flow(0, -100, 3, 3))[0, 0]
    assert above.tolist() == [[0, 1, 2]] * 3


def test_clamped_and_plain_agree_inside():
    warped, clamped = (f(ramp(), constant_flow(0.5, 0.5, 3, 3))[0, 0, :2, :2] for f in (warp, warp_clamped))
    torch.testing.assert_close(warped, clamped)


def test_each_item_of_a_batch_has_its_own_flow():
    flow = torch.cat([constant_flow(1, 0, 3, 3), constant_flow(0, 1, 3, 3)])
    warped = warp(ramp().expand(2, 1, 3, 3), flow)
    assert warped[:, 0, 1, 1].tolist() == pytest.approx([12, 21])


def test_gradients_of_the_warp():
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(1, 2, 4, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    # Away from whole pixels, where bilinear interpolation has kinks.
    flow = (0.2 + 0.5 * torch.rand(1, 2, 4, 5, dtype=torch.float64, generator=generator)).requires_grad_()
    assert torch.autograd.gradcheck(warp, (image, flow))


def test_resized_flow_scales_each_axis_by_its_own_factor():
    resized = resize_flow(constant_flow(3, -2, 4, 6), 8, 18)
    torch.testing.assert_close(resized, constant_flow(9, -4, 8, 18))


def test_resized_flow_halves():
    torch.testing.assert_close(resize_flow(constant_flow(3, -2, 8, 6), 4, 3), constant_flow(1.5, -1, 4, 3))


def test_flow_of_the_right_size_is_left_alone():
    flow = torch.rand(1, 2, 4, 6)
    assert torch.equal(resize_flow(flow, 4, 6), flow)
