"""Areas are averaged as OpenCV averages them, whatever the ratio of the sizes."""

import cv2
import numpy as np
import pytest
import torch

from selfhvd.ops.area import area_reduced


@pytest.mark.parametrize("size", [(24, 36), (17, 25), (1, 1), (16, 30), (47, 71)])
def test_as_by_opencv(rng, size):
    image = rng.random((48, 72)).astype(np.float32)
    wanted = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(area_reduced(torch.from_numpy(image), *size).numpy(), wanted, atol=1e-5)


def test_batches_and_sizes_that_agree(rng):
    images = torch.from_numpy(rng.random((2, 3, 10, 12)).astype(np.float32))
    assert area_reduced(images, 10, 12) is images
    torch.testing.assert_close(area_reduced(images, 5, 4)[1, 2], area_reduced(images[1, 2], 5, 4))
