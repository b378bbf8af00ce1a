"""What every test may use: a real photo, repeatable draws, one thread."""

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("repeatable")
cv2.setNumThreads(1)
torch.set_num_threads(1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A 512x512 RGB photo; do not write to it."""
    image = skimage.data.astronaut()
    image.setflags(write=False)
    return image
