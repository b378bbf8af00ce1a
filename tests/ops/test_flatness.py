"""Means around pixels: the quick way is the plain one."""

import pytest
import torch
import torch.nn.functional as F

from selfhvd.ops.flatness import mean_around


@pytest.mark.parametrize("side", [1, 3, 15, 41])
@pytest.mark.parametrize("size", [(1, 1), (7, 60), (30, 22)])
def test_mean_of_the_pixels_that_are_there(side, size):
    image = torch.rand(3, *size, generator=torch.Generator().manual_seed(side))
    wanted = F.avg_pool2d(image[None], side, stride=1, padding=side // 2, count_include_pad=False)[0]
    found = mean_around(image, side)
    assert (found - wanted).abs().max() < 2e-6
    assert torch.equal(found, mean_around(image.clone(), side)) and found.is_contiguous()


def test_of_part_of_a_picture():
    whole = torch.rand(3, 20, 30)
    part = whole[:2, 3:15, 5:21]
    assert torch.equal(mean_around(part, 5), mean_around(part.contiguous(), 5))


def test_by_hand_and_with_a_gradient():
    row = torch.tensor([[[3.0, 6.0, 12.0]]])
    assert mean_around(row, 3).tolist() == [[[4.5, 7.0, 9.0]]]
    row.requires_grad_()
    mean_around(row, 3).sum().backward()
    assert row.grad.flatten().tolist() == pytest.approx([5 / 6, 4 / 3, 5 / 6])
