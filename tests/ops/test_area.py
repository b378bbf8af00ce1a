"""Areas are averaged as OpenCV averages them, whatever the ratio of the sizes."""

import cv2
import numpy as np
import pytest
import torch

from selfhvd.ops.area import area_reduced, means_around
from selfhvd.ops.flatness import mean_around


@pytest.mark.parametrize("size", [(24, 36), (17, 25), (1, 1), (16, 30), (47, 71)])
def test_as_by_opencv(rng, size):
    image = rng.random((48, 72)).astype(np.float32)
    wanted = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(area_reduced(torch.from_numpy(image), *size).numpy(), wanted, atol=1e-5)


def test_batches_and_sizes_that_agree(rng):
    images = torch.from_numpy(rng.random((2, 3, 10, 12)).astype(np.float32))
    assert area_reduced(images, 10, 12) is images
    torch.testing.assert_close(area_reduced(images, 5, 4)[1, 2], area_reduced(images[1, 2], 5, 4))


def test_means_around_each_with_a_side_of_its_own(rng):
    images = torch.from_numpy(rng.random((3, 1, 20, 33)).astype(np.float32))
    found = means_around(images, torch.tensor([[1.0], [7.5], [40.0]]))
    wanted = [mean_around(images[n], side) for n, side in enumerate((3, 15))]
    torch.testing.assert_close(found[:2], torch.stack(wanted))
    torch.testing.assert_close(found[2], images[2].mean().expand(1, 20, 33))
