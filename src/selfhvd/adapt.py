"""Adapt: the two stages of the paper on one clip, from base weights or from scratch."""

import copy
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from selfhvd.backbones.backbone import Backbone
from selfhvd.flow.predictor import FlowPredictor
from selfhvd.frames import Frames, RecentFrames
from selfhvd.method.align import AlignConfig, align_guides
from selfhvd.method.consistency import Snapshot, Standing
from selfhvd.method.sharp import Selection
from selfhvd.method.trial import trial_score
from selfhvd.ops.sharpness import laplacian_variance
from selfhvd.perceptual import Perceptual
from selfhvd.restore import RestoreConfig, Restorer
from selfhvd.training.batches import Batch, BatchConfig, Lesson, Sampler
from selfhvd.training.loop import LoopConfig, train
from selfhvd.training.material import Caption, Material, Record, to_bytes
from selfhvd.training.stages import LossConfig, StageOne, StageTwo

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Told the name of the stage, how much of it is done, and how much there is."""
Stage = Callable[[Backbone, Batch], torch.Tensor]


def silent(stage: str, done: int, total: int) -> None:
    """A `Progress` that says nothing."""


@dataclass(frozen=True)
class AdaptConfig:
    """How a clip trains its network."""

    stage_one: LoopConfig = field(default_factory=lambda: LoopConfig(steps=100))
    stage_two: LoopConfig = field(default_factory=lambda: LoopConfig(steps=200))
    batch: BatchConfig = BatchConfig()
    loss: LossConfig = LossConfig()
    frames: int = 48
    """Frames of the clip that are trained on, spread evenly over the blurry ones; bounds time and disk, not memory."""
    candidates: int = 2
    """Sharp frames aligned from each side of a training frame: RSCR and the label leave something over."""
    updates: int = 2
    """Snapshot updates of SCSCM (paper: 2)."""
    drift_tolerance: float = 0.1
    """Pixels by which the drift may grow for a snapshot to be replaced (derived)."""
    most_drift: float = 0.5
    """Pixels by which the drift may grow over the whole adaptation before its result is thrown away (derived)."""
    judge: bool = True
    """Throw the adaptation away where our own measures call it worse than what it started from."""
    probes: int = 6
    """Frames on which a model's standing is measured (derived)."""
    probe_window: int = 5
    """Frames restored around each probe by a network that looks at several: their cost is what a check costs."""
    checks: int = 4
    """Times in stage 2 that the current model is offered as the new snapshot (derived)."""


@dataclass(frozen=True)
class Adaptation:
    """What the adaptation did."""

    steps: int
    seconds: float
    before: Standing
    """Of the network before the first step."""
    after: Standing
    updates: int
    """Snapshots taken over."""
    kept: bool
    """False: the adapted network did worse by our own measures and the one before it was kept."""


class Adapter:
    """Trains `network` in place on a clip; everything it needs between steps lies in `folder`."""

    def __init__(
        self,
        network: Backbone,
        frames: Frames,
        selection: Selection,
        predictor: FlowPredictor,
        folder: Path,
        *,
        align: AlignConfig = AlignConfig(),
        config: AdaptConfig = AdaptConfig(),
        perceptual: Perceptual | None = None,
        seed: int = 0,
        untrained: bool = False,
    ) -> None:
        self.network, self.frames, self.selection = network, RecentFrames(frames), selection
        self.predictor, self.folder, self.align, self.config = predictor, folder, align, config
        self.perceptual, self.seed, self.untrained = perceptual, seed, untrained
        self.training_frames = training_frames(selection, len(frames), config.frames, self._window)

    @property
    def _window(self) -> int:
        """Frames that the network is trained on at once."""
        return min(self.network.needs.window, self.config.batch.window)

    def run(self, on_progress: Progress = silent, deadline: float = math.inf) -> Adaptation:
        """Stage 1, a refresh of the alignments, stage 2.

        Args:
            on_progress: told stage name, steps done and steps in all.
            deadline: `time.monotonic()` at which to stop with what there is.
        """
        started = time.monotonic()
        first = copy.deepcopy(self.network.state_dict())
        before = self.standing_of_input() if self.untrained else self.standing(self.network)
        one, two = self.config.stage_one, self.config.stage_two
        steps, updates = 0, 0
        if one.steps:
            # What an untrained network gives shows nothing yet: align onto the input, the paper's first round.
            outputs = self.frames.tensor if self.untrained else self.restorer().frame
            material = self.material(outputs, partial(on_progress, "align"))
            stage = StageOne(self.config.loss, self.perceptual)
            steps += self._train(material, "label", stage, one, partial(on_progress, "stage 1"), deadline)
        if two.steps and time.monotonic() < deadline:
            snapshot = Snapshot(
                self.network,
                self.standing(self.network),
                updates=self.config.updates,
                tolerance=self.config.drift_tolerance,
            )
            material = self.material(self.restorer(snapshot.network).frame, partial(on_progress, "align again"))
            stage = StageTwo(self.config.loss, self.perceptual, snapshot)
            lesson: Lesson = "clues-removed" if self.config.loss.enhance else "label"
            every = max(1, two.steps // (self.config.checks + 1))

            def offer(step: int) -> None:
                if step % every == 0 and step < two.steps and snapshot.updates_left:
                    taken = snapshot.offer(self.network, self.standing(self.network))
                    log.info("stage 2, step %d: snapshot %s", step, "replaced" if taken else "kept")

            steps += self._train(material, lesson, stage, two, partial(on_progress, "stage 2"), deadline, offer)
            updates = self.config.updates - snapshot.updates_left
        after = self.standing(self.network)
        kept = not self.config.judge or (
            after.trial >= before.trial and after.drift <= before.drift + self.config.most_drift
        )
        if not kept:
            log.info("the adaptation did not pay and is dropped: trial %.2f dB, was %.2f", after.trial, before.trial)
            self.network.load_state_dict(first)
        return Adaptation(steps, time.monotonic() - started, before, after, updates, kept)

    def _train(
        self,
        material: Material,
        lesson: Lesson,
        stage: Stage,
        loop: LoopConfig,
        on_step: Callable[[int, int], None],
        deadline: float,
        check: Callable[[int], None] = lambda step: None,
    ) -> int:
        """One stage; the number of steps it took."""
        batch = replace(self.config.batch, guides=self.network.needs.guides, window=self._window)
        sampler = Sampler(material, lesson, batch, seed=self.seed + len(lesson))
        done = 0

        def after_step(step: int, loss: float) -> bool:
            nonlocal done
            done = step
            on_step(step, loop.steps)
            check(step)
            return time.monotonic() < deadline

        train(self.network, sampler.draw, stage, loop, after_step)
        return done

    def restorer(self, network: Backbone | None = None, window: int | None = None) -> Restorer:
        """The restorer with which outputs R_i are made between the stages."""
        return Restorer(
            network or self.network,
            self.frames,
            self.selection,
            self.predictor,
            self.align,
            RestoreConfig(rounds=1, window=window or self.config.batch.window),
        )

    def material(self, outputs: Callable[[int], torch.Tensor], on_frame: Callable[[int, int], None]) -> Material:
        """Align the sharp frames around each training frame onto `outputs(i)` (Eq. 3), and keep all on disk."""
        numbers = self.training_frames
        height, width = self.frames.tensor(numbers[0]).shape[-2:]
        around = [self.selection.around(i, self.config.candidates) for i in numbers]
        blank = tuple(Caption(i, False, g, (0.0,) * len(g)) for i, g in zip(numbers, around, strict=True))
        material = Material.create(self.folder / "material", blank, height, width)
        captions: list[Caption] = []
        for slot, (i, guides) in enumerate(zip(numbers, around, strict=True)):
            aligned = align_guides(outputs(i), self.frames, guides, self.predictor, self.align)
            frame = _bytes(self.frames.tensor(i))
            trust = to_bytes(aligned.trust[:, 0].cpu().numpy())
            material.put(slot, Record(frame, np.stack([_bytes(g) for g in aligned.images]), trust, frame))
            captions.append(Caption(i, self.selection.is_sharp(i), guides, aligned.visible))
            on_frame(slot + 1, len(numbers))
        return Material(material.folder, tuple(captions))

    def standing(self, network: Backbone) -> Standing:
        """Drift, sharpness and trial of `network` on the probe frames."""
        restorer = self.restorer(network, self.config.probe_window)
        return self._standing(restorer.frame, restorer.instead)

    def standing_of_input(self) -> Standing:
        """The same if nothing were done at all."""
        return self._standing(self.frames.tensor, lambda _, image: image)

    def _standing(
        self,
        outputs: Callable[[int], torch.Tensor],
        instead: Callable[[int, torch.Tensor], torch.Tensor],
    ) -> Standing:
        blurry = [i for i in self.training_frames if not self.selection.is_sharp(i)]
        probes = spread(blurry or self.training_frames, self.config.probes)
        drifts: list[float] = []
        sharpness: list[float] = []
        ceiling: list[float] = []
        for i in probes:
            output = outputs(i)[None]
            flow = self.predictor(output, self.frames.tensor(i)[None])
            drifts.append(float(flow.field.norm(dim=1).median()))
            sharpness.append(float(laplacian_variance(output)))
            ceiling.append(self.selection.sharpness[self.selection.nearest(i)])
        sharp = spread([i for i in self.selection.sharp if self.selection.is_sharp(i)], self.config.probes)
        trial = trial_score(self.frames, sharp, self.predictor, instead)
        return Standing(float(np.median(drifts)), float(np.mean(sharpness)), float(np.mean(ceiling)), trial)


def training_frames(selection: Selection, count: int, most: int, run: int = 1) -> tuple[int, ...]:
    """About `most` frames to train on: the blurry ones, spread evenly, and a few sharp ones.

    A network that looks at several frames gets runs of `run` consecutive frames instead, spread evenly.
    """
    if run > 1:
        starts = spread(range(max(count - run, 0) + 1), max(1, most // run))
        return tuple(sorted({i for start in starts for i in range(start, min(start + run, count))}))
    blurry = [i for i in range(count) if not selection.is_sharp(i)]
    sharp = [i for i in range(count) if selection.is_sharp(i)]
    few = min(max(1, most // 6), len(sharp))
    return tuple(sorted([*spread(blurry, most - few), *spread(sharp, few)]))


def spread(items: Sequence[int], most: int) -> list[int]:
    """At most `most` of `items`, evenly spread."""
    if len(items) <= most:
        return list(items)
    if most == 1:
        return [items[len(items) // 2]]
    return [items[round(n * (len(items) - 1) / (most - 1))] for n in range(most)]


def _bytes(image: torch.Tensor) -> np.ndarray:
    return to_bytes(image.permute(1, 2, 0).cpu().numpy())
