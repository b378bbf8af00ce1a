"""What OpenCV does on a CPU is what torch does where a gradient is wanted."""

import pytest
import torch
import torch.nn.functional as F

from selfhvd.method.sharp_frames import laplacian_variance
from selfhvd.ops.area import area_reduced
from selfhvd.ops.flatness import detail_reduced
from selfhvd.ops.resize import halved

SIZES = [(64, 48), (37, 53), (2, 2)]


@pytest.fixture(params=SIZES, ids=str)
def image(request):
    return torch.rand(2, 3, *request.param, generator=torch.Generator().manual_seed(0))


def test_halved(image):
    torch.testing.assert_close(halved(image), F.avg_pool2d(image, 2))


def test_laplacian_variance(image):
    by_torch = laplacian_variance(image.clone().requires_grad_()).detach()
    torch.testing.assert_close(laplacian_variance(image), by_torch, rtol=1e-4, atol=1e-3)


def test_area_reduced(image):
    height, width = (max(1, side // 3) for side in image.shape[-2:])
    by_torch = area_reduced(image.clone().requires_grad_(), height, width).detach()
    torch.testing.assert_close(area_reduced(image, height, width), by_torch, rtol=1e-4, atol=1e-5)


def test_detail_reduced(image):
    size = max(1, image.shape[-2] // 4), max(1, image.shape[-1] // 4)
    by_torch = detail_reduced(image[0].clone().requires_grad_(), size).detach()
    torch.testing.assert_close(detail_reduced(image[0], size), by_torch, rtol=1e-3, atol=1e-5)
