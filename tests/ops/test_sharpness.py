"""Sharpness against OpenCV, and on pictures whose Laplacian is known."""

import cv2
import numpy as np
import pytest
import torch

from doubles import tensor
from selfhvd.method.sharp_frames import laplacian_variance
from selfhvd.ops.detail import detail_growth


@pytest.mark.parametrize("shape", [(17, 23), (64, 48), (2, 2), (2, 9)])
def test_equals_opencv_on_noise(rng, shape):
    image = rng.integers(0, 256, size=(*shape, 3), dtype=np.uint8)
    wanted = cv2.Laplacian(image, cv2.CV_64F).var()
    assert laplacian_variance(tensor(image)).item() == pytest.approx(wanted, rel=1e-5)


def test_equals_opencv_on_a_photo(photo):
    """Channels count together: their Laplacians' means differ, so a mean of three variances is another number."""
    view = photo[30:200, 150:400]
    wanted = cv2.Laplacian(view, cv2.CV_64F).var()
    assert laplacian_variance(tensor(view)).item() == pytest.approx(wanted, rel=1e-4)


def test_channels_count_together():
    """Two flat channels and one of L = ±4·255: a third of the checker's variance."""
    y, x = np.mgrid[:6, :8]
    image = np.zeros((6, 8, 3), np.uint8)
    image[..., 1] = 255 * ((x + y) % 2)
    assert laplacian_variance(tensor(image)).item() == pytest.approx((4 * 255) ** 2 / 3, rel=1e-5)


def test_checker():
    """Every pixel differs from its four neighbours, mirrored ones too, by 255: L = ±4·255."""
    y, x = torch.meshgrid(torch.arange(6), torch.arange(8), indexing="ij")
    checker = ((x + y) % 2).float()[None, None]
    assert laplacian_variance(checker).item() == pytest.approx((4 * 255) ** 2, rel=1e-5)


def test_impulse():
    """One pixel of value 1 in 5x5: L is -4 there and 1 at four neighbours, so the variance is 20 / 25."""
    image = torch.zeros(1, 1, 5, 5)
    image[..., 2, 2] = 1 / 255
    assert laplacian_variance(image).item() == pytest.approx(0.8, rel=1e-5)


def test_flat_picture_has_none_whatever_its_size():
    for height, width in ((5, 7), (1, 1), (1, 6), (6, 1)):
        assert laplacian_variance(torch.full((1, 3, height, width), 0.3)).item() == pytest.approx(0, abs=1e-6)


def test_each_image_of_a_batch_on_its_own():
    batch = torch.zeros(2, 1, 5, 5)
    batch[0, :, 2, 2], batch[1, :, 2, 2] = 1 / 255, 2 / 255
    assert laplacian_variance(batch).tolist() == pytest.approx([0.8, 3.2], rel=1e-5)


def test_gradient():
    image = torch.rand(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    assert torch.autograd.gradcheck(laplacian_variance, (image / 16,))


def test_detail_of_noise_is_halved(rng):
    image = torch.from_numpy(0.5 + 0.03 * rng.standard_normal((1, 3, 96, 128))).float()
    assert detail_growth(image)[0].item() == pytest.approx(0.5, abs=0.02)


def test_detail_of_a_photo_grows_until_noise_comes(photo, rng):
    view = tensor(cv2.resize(photo, (240, 160), interpolation=cv2.INTER_AREA))
    noise = torch.from_numpy(rng.standard_normal(view.shape)).float()
    growth = [detail_growth(view + sigma / 255 * noise)[0].item() for sigma in (0, 4, 12)]
    assert growth == sorted(growth, reverse=True) and growth[0] > 1.4 > 1.0 > growth[2]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 9), (8, 8)])
def test_no_detail_grows_without_end(shape):
    assert detail_growth(torch.full((1, 3, *shape), 0.4))[0].tolist() == [float("inf")]
