"""The trial: sharp frames re-blurred along a known motion."""

import pytest
import torch

from doubles import Shift
from selfhvd.extensions.reblur_validation import LENGTH, STEPS, reblur, trial_score
from selfhvd.ops.light import GAMMA
from selfhvd.video.frame_source import ArrayFrames


def test_a_bright_line_is_smeared_along_the_motion_in_linear_light():
    image = torch.zeros(3, 20, 480)
    image[:, :, 240] = 1.0
    blurred = reblur(image, image, Shift(2, 0))
    # Nine instants one pixel apart: each pixel of the nine sees the line once.
    assert LENGTH == 8 and STEPS == 9
    lit = (blurred[0, 10] > 0.01).nonzero().flatten().tolist()
    assert lit == list(range(236, 245))
    torch.testing.assert_close(blurred[:, :, 240], torch.full((3, 20), (1 / 9) ** (1 / GAMMA)))


def test_the_better_restorer_scores_higher(photo):
    frames = ArrayFrames([photo[:96, :128]] * 3)
    nothing = trial_score(frames, [0, 2], Shift(2, 0), lambda i, image: image)
    perfect = trial_score(frames, [0, 2], Shift(2, 0), lambda i, image: frames.tensor(i))
    assert perfect == pytest.approx(100) and 10 < nothing < 60
