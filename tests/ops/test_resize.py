"""Resizing and bicubic warping: OpenCV's are torch's."""

import pytest
import torch
import torch.nn.functional as F

from selfhvd.ops.grid import pixel_grid, to_sampler
from selfhvd.ops.resize import resized
from selfhvd.ops.warp import warp


@pytest.mark.parametrize("between", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("height", "width"), [(31, 47), (15, 80), (12, 20), (40, 40)])
def test_resizing_is_torchs(between, height, width):
    image = torch.rand(2, 3, 12, 20)
    wanted = F.interpolate(image, size=(height, width), mode=between, align_corners=False)
    torch.testing.assert_close(resized(image, height, width, between), wanted, atol=2e-5, rtol=0)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_a_bicubic_warp_is_torchs_beyond_the_border_too(channels):
    image, flow = torch.rand(2, channels, 24, 36), 6 * torch.randn(2, 2, 24, 36)
    points = to_sampler(pixel_grid(24, 36, like=flow) + flow)
    wanted = F.grid_sample(image, points, mode="bicubic", padding_mode="zeros", align_corners=True)
    torch.testing.assert_close(warp(image, flow, "bicubic"), wanted, atol=1e-4, rtol=0)


def test_with_a_gradient_torch_warps():
    image = torch.rand(1, 3, 8, 8, requires_grad=True)
    warp(image, torch.zeros(1, 2, 8, 8), "bicubic").sum().backward()
    assert image.grad is not None and torch.allclose(image.grad, torch.ones_like(image))
