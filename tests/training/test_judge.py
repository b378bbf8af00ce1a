"""The judge looks at all clips together."""

import numpy as np
import pytest
import torch

from clips_for_tests import views
from selfhvd.extensions.selection import Selection
from selfhvd.flow.predictor import Flow, FlowPredictor
from selfhvd.method.sharp_frames import laplacian_variance
from selfhvd.restore.restorer import Restorer
from selfhvd.training.clip import TrainingClip
from selfhvd.training.probes import ProbeValidator
from selfhvd.video.frame_source import ArrayFrames

COUNT = 6


class AsBright(FlowPredictor):
    """A flow that says how bright the first image is: 10 times its mean, in pixels sideways."""

    name = "still"

    def __call__(self, first, second) -> Flow:
        field = torch.zeros(1, 2, *first.shape[-2:])
        field[:, 0] = 10 * first.mean()
        return Flow(field, torch.ones_like(field[:, :1]))


def clip(name: str, sharp: tuple[int, ...], sharpness: float) -> TrainingClip:
    scores = (sharpness,) * COUNT
    frames = ArrayFrames([np.ascontiguousarray(view) for view in views(COUNT, 32, 32)])
    return TrainingClip(frames, Selection(scores, scores, 0.5, sharp, (), "mixed"), None, name)


class Grey(Restorer):
    """A restorer whose frames are of one grey; it notes for which it was asked."""

    def __init__(self, level: float, asked: list) -> None:
        self.level, self.asked = level, asked

    def frame(self, index):
        self.asked.append(index)
        return torch.full((3, 32, 32), self.level)

    def instead(self, index, image):
        return image


CLIPS = [clip("a", (0, 5), 30.0), clip("b", (1,), 60.0), clip("c", (0,), 90.0)]
LEVELS = {"a": 0.1, "b": 0.2, "c": 0.7}


def judged(probes: int):
    judge = ProbeValidator(CLIPS, [[1, 2], [2, 3], [3, 4]], AsBright(), probes)
    asked = {name: [] for name in LEVELS}
    made = []

    def restoring(of):
        made.append(of.name)
        return Grey(LEVELS[of.name], asked[of.name])

    return judge.model(restoring), asked, made


def test_every_clip_is_probed_and_restored_by_a_restorer_of_its_own():
    standing, asked, made = judged(6)
    assert asked == {"a": [1, 2], "b": [2, 3], "c": [3, 4]}
    assert made == ["a", "b", "c"]
    # Drift: the median of 1, 1, 2, 2, 7, 7 pixels. Ceiling: the mean over the clips. A grey has no detail.
    assert standing.drift == pytest.approx(2.0, rel=1e-5)
    assert standing.ceiling == pytest.approx(60.0) and standing.sharpness == 0.0


def test_probes_are_spread_over_the_clips():
    _, asked, _ = judged(3)
    assert asked == {"a": [1], "b": [2], "c": [4]} or (sum(map(len, asked.values())) == 3 and all(asked.values()))


def test_more_clips_do_not_make_more_probes():
    assert sum(map(len, judged(2)[1].values())) == 2


def test_the_input_itself():
    found = ProbeValidator(CLIPS, [[1, 2], [2, 3], [3, 4]], AsBright(), 6).input()
    frames = [(of.frames, i) for of, numbers in zip(CLIPS, ([1, 2], [2, 3], [3, 4]), strict=True) for i in numbers]
    wanted = [float(laplacian_variance(frames.tensor(i)[None])) for frames, i in frames]
    assert found.sharpness == pytest.approx(np.mean(wanted), rel=1e-5)
    assert found.drift == pytest.approx(np.median([10 * float(f.tensor(i).mean()) for f, i in frames]), rel=1e-5)


def test_clips_without_a_blurry_frame_are_probed_all_the_same():
    sharp = [clip("a", tuple(range(COUNT)), 30.0)]
    assert ProbeValidator(sharp, [[0, 1]], AsBright(), 2).input().ceiling == pytest.approx(30.0)
