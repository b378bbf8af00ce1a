"""Re-blur along a known motion: the box that a hand would make."""

import cv2
import numpy as np
import pytest
import torch
from clip_for_baselines import sliding

from selfhvd.research.baselines.blur_condition import BlurCondition
from selfhvd.research.baselines.reblur import MotionReblur, Reblur


def condition(x: float, y: float, length: float, like: torch.Tensor) -> BlurCondition:
    height, width = like.shape[-2:]
    direction = torch.tensor([float(x), float(y)]).view(1, 2, 1, 1).repeat(1, 1, height, width)
    return BlurCondition(direction, torch.full((1, 1, height, width), length))


def by_hand(image: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    light = image[0].permute(1, 2, 0).numpy() ** 2.2
    return cv2.blur(light, size, borderType=cv2.BORDER_REPLICATE) ** (1 / 2.2)


@pytest.mark.parametrize(("x", "y", "size"), [(1, 0, (7, 1)), (0, -1, (1, 7))])
def test_equals_a_box_in_linear_light(x, y, size):
    image = sliding().tensor(1)[None]
    blurry = MotionReblur()(image, condition(x, y, 7.0, image))
    np.testing.assert_allclose(blurry[0].permute(1, 2, 0).numpy(), by_hand(image, size), atol=2e-5)


def test_a_length_between_two_boxes_lies_between_them():
    image = sliding().tensor(1)[None]
    blurry = MotionReblur()(image, condition(1, 0, 5.0, image))
    longer = MotionReblur()(image, condition(1, 0, 6.0, image))
    assert (longer - image).abs().mean() > (blurry - image).abs().mean()
    # Seven samples 6/7 of a pixel apart: no pixel is stepped over.
    step = torch.zeros(1, 3, 8, 33)
    step[..., 16] = 1
    line = MotionReblur()(step, condition(1, 0, 6.0, step))[0, 0, 4] ** 2.2
    assert line.sum() == pytest.approx(1, abs=1e-4) and (line > 1e-4).sum() in (7, 8) and line.max() < 0.2


def test_no_motion_changes_nothing():
    """But for a quarter of a code: in the dark, the gamma magnifies what rounding takes from a neighbour."""
    image = sliding().tensor(1)[None]
    torch.testing.assert_close(MotionReblur()(image, condition(0, 0, 9.0, image)), image, atol=1e-3, rtol=0)


def test_each_pixel_has_its_own_smear():
    image = sliding().tensor(1)[None]
    half = condition(1, 0, 7.0, image)
    half.length[..., 40:] = 0
    blurry = MotionReblur()(image, half)
    torch.testing.assert_close(blurry[..., 40:], image[..., 40:], atol=1e-3, rtol=0)
    np.testing.assert_allclose(blurry[0, :, :, :40].permute(1, 2, 0).numpy(), by_hand(image, (7, 1))[:, :40], atol=2e-5)


def test_samples_are_bounded():
    image = sliding().tensor(1)[None]
    few, all_of_them = MotionReblur(most_samples=3), MotionReblur()
    assert not torch.allclose(few(image, condition(1, 0, 9.0, image)), all_of_them(image, condition(1, 0, 9.0, image)))


def test_is_a_way_to_reblur():
    assert isinstance(MotionReblur(), Reblur)
