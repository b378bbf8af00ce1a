"""The arithmetic of paths on a device is that of the CPU's."""

import numpy as np
import pytest
import torch
from made_pairs import Made, on_device

from selfhvd.flow.camera.exposure_path import ExposureTrajectory
from selfhvd.flow.device.units import Units

VIEW = torch.zeros(1, 1, 272, 480)
MADE = Made((5, -3), 2.0, size=(480, 272))


def path(velocity: tuple[float, ...], acceleration: tuple[float, ...] = (0, 0, 0, 0)) -> ExposureTrajectory:
    return ExposureTrajectory(MADE.homography, *(np.array(way, np.float32) for way in (velocity, acceleration)))


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_middle_is_moved_to_the_mean(share):
    """From half way through, and from anywhere between."""
    theirs = path((5, 2, 1, 0), (30, -20, 6, 4))
    ours = on_device(theirs, VIEW).centred(torch.tensor([0.7])).centred(torch.tensor([share]))
    wanted = theirs.centred(MADE.size, share)
    middle = Units.of(VIEW).to_pixels(ours.middle)[0].double().numpy()
    assert MADE.apart(middle, wanted.middle) < 0.003 and ours.lead.item() == pytest.approx(wanted.lead)
    assert share == 0 or MADE.apart(middle, theirs.middle) > 0.5


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (path((9.3, -4.2, 1, 0.1)), True),
        (path((-9.3, 4.2, -1, 0)), True),
        (path((9, 4, 1, 0)), False),
        (path((9, -4, 1, 0), (20, 0, 0, 0)), True),
        (path((9, -4, 1, 0), (20, 15, 0, 0)), False),
        (path((-9, 4, -1, 0), (0, 0, 26, 0)), False),
        (path((0, 0, 0, 0)), False),
    ],
)
def test_blurs_that_are_alike(other, alike):
    one = path((9, -4, 1, 0))
    assert one.is_like(other) == alike
    assert on_device(one, VIEW).is_like(on_device(other, VIEW), Units.of(VIEW)).item() == alike


def test_of_several_each_has_its_own_lead():
    paths = on_device(path((5, 2, 1, 0), (30, -20, 6, 4)), VIEW)
    led = paths.centred(torch.ones(1))
    both = led.where(torch.tensor([False]), paths), led.where(torch.tensor([True]), paths)
    assert [part.lead.item() for part in both] == pytest.approx([0, 1 / 24])
