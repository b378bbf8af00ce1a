"""Probes: how a model does, by measures that need no truth, on a few frames of all clips together."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from selfhvd.extensions.reblur_validation import trial_score
from selfhvd.flow.predictor import FlowPredictor
from selfhvd.method.scscm import ProbeScores
from selfhvd.method.sharp_frames import laplacian_variance
from selfhvd.restore.restorer import Restorer
from selfhvd.training.clip import TrainingClip, spread

Output = Callable[[int], torch.Tensor]
Instead = Callable[[int, torch.Tensor], torch.Tensor]
Restoring = Callable[[TrainingClip], Restorer]


class ProbeValidator:
    """Knows the probe frames, and measures whoever restores them.

    Args:
        clips: all that are learned from.
        trained_on: of each clip, the frames that are trained on.
        predictor: the flow that measures drift and blurs the trial.
        probes: how many frames are looked at, of all clips together.
    """

    def __init__(
        self,
        clips: Sequence[TrainingClip],
        trained_on: Sequence[Sequence[int]],
        predictor: FlowPredictor,
        probes: int,
    ) -> None:
        self.predictor = predictor
        every = [(clip, i) for clip, frames in zip(clips, trained_on, strict=True) for i in frames]
        blurry = [(clip, i) for clip, i in every if not clip.selection.is_sharp(i)]
        sharp = [(clip, i) for clip in clips for i in clip.selection.sharp if clip.selection.is_sharp(i)]
        self._blurry, self._sharp = spread(blurry or every, probes), spread(sharp, probes)

    def model(self, restoring: Restoring) -> ProbeScores:
        """Drift, sharpness and trial of the model behind the restorers."""
        made: dict[str, Restorer] = {}

        def of(clip: TrainingClip) -> Restorer:
            return made.setdefault(clip.name, restoring(clip)) if clip.name not in made else made[clip.name]

        return self._standing(lambda clip: of(clip).frame, lambda clip: of(clip).instead)

    def input(self) -> ProbeScores:
        """The same if nothing were done at all."""
        return self._standing(lambda clip: clip.frames.tensor, lambda _: lambda _, image: image)

    def _standing(
        self, output: Callable[[TrainingClip], Output], instead: Callable[[TrainingClip], Instead]
    ) -> ProbeScores:
        drifts: list[float] = []
        sharpness: list[float] = []
        ceiling: list[float] = []
        for clip, i in self._blurry:
            restored = output(clip)(i)[None]
            flow = self.predictor(restored, clip.frames.tensor(i)[None])
            drifts.append(float(flow.field.norm(dim=1).median()))
            sharpness.append(float(laplacian_variance(restored)))
            ceiling.append(clip.selection.sharpness[clip.selection.nearest(i)])
        trials = [trial_score(clip.frames, [i], self.predictor, instead(clip)) for clip, i in self._sharp]
        trial = sum(trials) / max(len(trials), 1)
        return ProbeScores(float(np.median(drifts)), float(np.mean(sharpness)), float(np.mean(ceiling)), trial)
