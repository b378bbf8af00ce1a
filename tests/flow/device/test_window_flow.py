"""The dense flow in torch finds motions that are known, and none where nothing moves."""

import cv2
import numpy as np
import pytest
import torch

from doubles import tensor
from selfhvd.flow import WindowFlow
from selfhvd.flow.device.moving import near_motion

HEIGHT, WIDTH = 128, 176


@pytest.mark.parametrize("reach", [0.5, 2.0, 6.0])
def test_smooth_motion(photo, reach):
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    wanted = [reach * np.sin(x / 60 + 0.3) * np.cos(y / 50), reach * np.cos(x / 45) * np.sin(y / 70 + 1)]
    places = [axis + start + move for axis, start, move in zip((x, y), (140, 150), wanted, strict=True)]
    first = cv2.remap(photo, *places, cv2.INTER_CUBIC)
    field = WindowFlow()(tensor(first), tensor(photo[150 : 150 + HEIGHT, 140 : 140 + WIDTH])).field
    apart = (field - torch.from_numpy(np.stack(wanted))).norm(dim=1)[:, 12:-12, 12:-12]
    assert apart.median() < 0.1 and apart.mean() < 0.2


@pytest.mark.parametrize("reach", [3, 9, 14])
def test_an_object_is_followed_and_the_scene_behind_it_stands_still(photo, reach):
    scene, piece = photo[60 : 60 + HEIGHT, 120 : 120 + WIDTH], photo[300:360, 300:360]
    first, second = scene.copy(), scene.copy()
    first[40:100, 60:120], second[40:100, 60 + reach : 120 + reach] = piece, piece
    field = WindowFlow()(tensor(first), tensor(second)).field
    assert (field[0, :, 50:90, 70:110].flatten(1).median(dim=1).values - torch.tensor([reach, 0.0])).norm() < 0.1
    assert field[0, :, 10:118, 155:].norm(dim=0).max() < 0.01


def test_nothing_moves_between_the_same_images(photo):
    image = tensor(photo[:96, :128])
    there, back = WindowFlow().both(image, image)
    assert max(there.field.abs().max(), back.field.abs().max()) < 1e-4 and there.certainty.min() > 0.999


def test_both_ways_are_as_one_by_one(photo):
    first, second = tensor(photo[60:124, 120:208]), tensor(photo[64:128, 115:203])
    there, back = WindowFlow().both(first, second)
    torch.testing.assert_close(there.field, WindowFlow()(first, second).field)
    torch.testing.assert_close(back.field, WindowFlow()(second, first).field)


def test_what_is_not_shown_has_no_say(photo):
    """The second image ends: without a word on it black pixels would be something that came."""
    first = tensor(photo[60 : 60 + HEIGHT, 120 : 120 + WIDTH])
    shown = torch.ones_like(first[:, :1], dtype=torch.bool)
    shown[..., 120:] = False
    there, back = WindowFlow().rest(first, first * shown, shown, 0.45)
    assert there.field.abs().max() < 1e-4 and back.field.abs().max() < 1e-4


def test_motion_is_found_near_what_moves_alone(photo):
    scene = photo[60:156, 120:312].copy()
    moved = scene.copy()
    moved[20:60, 20:60] = scene[20:60, 18:58]
    first, second = (tensor(image).mean(dim=1, keepdim=True) for image in (scene, moved))
    near = near_motion(first, second, torch.ones_like(first), 0.45)
    assert near[0, 0, 40, 40] == 1 and near[0, 0, :, 130:].max() == 0
    assert near_motion(first, first, torch.ones_like(first), 0.45).max() == 0
