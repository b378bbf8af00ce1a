"""Values in [0, 1] to whole numbers: by hand, and the way back."""

import numpy as np
import pytest
import torch

from selfhvd.ops.quantize import quantize, to_pixels
from selfhvd.video.frame import as_tensor


def test_by_hand():
    values = torch.tensor([-0.1, 0.0, 0.5 / 255, 1.5 / 255, 0.25, 1.0, 1.1])
    assert quantize(values).tolist() == [0, 0, 0, 2, 64, 255, 255]  # halves go to the even one
    assert quantize(values, 10).tolist() == [0, 0, 128, 386, 16384, 65535, 65535]


@pytest.mark.parametrize(("kind", "depth"), [(np.uint8, 8), (np.uint16, 10), (np.uint16, 16)])
def test_every_number_comes_back(kind, depth):
    count = np.iinfo(kind).max + 1
    frame = np.arange(3 * count).reshape(-1, 16, 3).astype(kind)
    again = to_pixels(as_tensor(frame), depth)
    assert again.dtype == kind and again.flags.c_contiguous and np.array_equal(again, frame)
    assert np.array_equal(to_pixels(as_tensor(frame)[None], depth)[0], frame)
