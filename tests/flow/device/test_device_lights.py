"""Where lights brighter than white have streaks, nothing is told on a device either."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from made_pairs import Made

from selfhvd.flow import DeviceMotionFlow, Dis, GlobalMotionFlow
from selfhvd.flow.camera import exposure_model
from selfhvd.flow.camera.explained import Witness


@pytest.fixture
def told(monkeypatch):
    """The streaks that the witness is told of, as they come."""
    streaks: list[torch.Tensor] = []

    whole = Witness.explained

    def watched(self, seen, sharp, glare):
        streaks.append(glare)
        return whole(self, seen, sharp, glare)

    monkeypatch.setattr(Witness, "explained", watched)
    return streaks


def lit(photo: np.ndarray) -> np.ndarray:
    """With small lights."""
    lamps = np.zeros((10, 10, 3), np.uint8)
    lamps[:4, :4] = 255
    lamps = np.pad(lamps, ((0, 30), (0, 30), (0, 0)))
    return np.maximum(photo // 2, np.tile(lamps, (13, 13, 1))[:512, :512])


def both(told: list[torch.Tensor], first: torch.Tensor, *seconds: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The last streaks on the CPU and on a device."""
    GlobalMotionFlow(Dis()).motions(first, seconds)
    theirs = torch.cat(told[-len(seconds) :])
    DeviceMotionFlow().motions(first, seconds)
    return theirs, told[-1]


def test_streaks_along_the_path_of_the_camera(photo, told):
    theirs, ours = both(told, *Made((5, 2), velocity=(10, 0)).images(lit(photo)))
    assert len(told) == 2
    assert (ours - theirs).abs().mean() < 0.005 and (ours > 0.2).float().mean() > 0.02


def test_streaks_along_each_way(photo, told, monkeypatch):
    """No path of the camera is believed."""
    monkeypatch.setattr(exposure_model, "STRANGE", 0.0)
    seconds = [Made((x, 0)).images(lit(photo))[0] for x in (-12, 12)]
    first = F.avg_pool2d(Made((0, 0)).images(lit(photo))[0], 9, 1, 4, count_include_pad=False)
    theirs, ours = both(told, first, *seconds)
    assert len(told) == 2 * len(seconds) + 2
    assert (ours - theirs).abs().mean() < 0.02 and (ours > 0.2).float().mean() > 0.02
