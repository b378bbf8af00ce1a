"""Quantiles of a part of each row, choices by value, and medians around pixels."""

import cv2
import numpy as np
import pytest
import torch

from selfhvd.ops.order import best, median_around, quantile_where


@pytest.mark.parametrize("part", [0.0, 0.5, 0.7, 1.0])
def test_quantile_of_what_counts(rng, part):
    values, counts = torch.from_numpy(rng.random((3, 101))).float(), torch.from_numpy(rng.random((3, 101)) < 0.6)
    found = quantile_where(values, counts, part)
    for row, mask, value in zip(values, counts, found, strict=True):
        assert value == row[mask].quantile(part, interpolation="nearest")


def test_quantile_of_nothing_is_infinite():
    assert quantile_where(torch.zeros(1, 4), torch.zeros(1, 4, dtype=torch.bool), 0.5).tolist() == [float("inf")]


def test_the_best_of_each_row():
    """The first of equals, and NaN never, unless there is nothing else."""
    nan = float("nan")
    values = torch.tensor([[3.0, 1, 1], [nan, 5, 4], [nan, nan, nan]])
    choices = torch.arange(18.0).view(3, 3, 2)
    assert best(values, choices).tolist() == [[2, 3], [10, 11], [12, 13]]


@pytest.mark.parametrize("side", [3, 5])
def test_median_as_by_opencv(rng, side):
    image = rng.random((9, 14)).astype(np.float32)
    found = median_around(torch.from_numpy(image)[None, None], side)[0, 0]
    np.testing.assert_array_equal(found.numpy(), cv2.medianBlur(image, side))
