"""Both stages on one clip or on many: alignments, checks and state included; the place to see the method as a whole."""

import copy
import logging
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from selfhvd.backbones.backbone import Backbone
from selfhvd.errors import Stopped, WeightsError
from selfhvd.flow.predictor import FlowPredictor
from selfhvd.method.align import AlignConfig
from selfhvd.method.batch import Batch
from selfhvd.method.perceptual import Perceptual
from selfhvd.method.scscm import ProbeScores, Snapshot
from selfhvd.method.stages import StageOne, StageTwo, learn_truth
from selfhvd.restore.config import RestoreConfig
from selfhvd.restore.restorer import Restorer
from selfhvd.system.progress import Progress, Stage, silent
from selfhvd.training.aligned_store import AlignedStore
from selfhvd.training.checkpoint import CheckpointConfig, TrainState
from selfhvd.training.clip import TrainingClip, training_frames
from selfhvd.training.config import Adaptation, AdaptConfig
from selfhvd.training.distributed import Processes
from selfhvd.training.loop import LoopConfig, Step, train
from selfhvd.training.precompute import make_material
from selfhvd.training.probes import ProbeValidator
from selfhvd.training.sampler import Sampler, Supervision

log = logging.getLogger(__name__)

StageLoss = Callable[[torch.nn.Module, Batch], torch.Tensor]


class TwoStageTrainer:
    """Trains `network` in place on clips; everything it needs between steps lies in `folder`.

    Args:
        network: on its device; also after a resume with the parameters it began with.
        clips: one, or many.
        predictor: the flow that aligns.
        folder: for the material; with `keeping`, a later run with the same arguments goes on from it.
        align: constants of the alignment.
        config: how the stages run.
        perceptual: VGG features, where they are at hand.
        seed: same seed, same batches.
        untrained: whether the network's output shows nothing yet.
        processes: those that train together; by default this one alone.
        keeping: where the state is kept; None = nowhere.
        on_step: told the stage's name and each step.
        stop: asked after each step; True saves the state and raises `Stopped`.
    """

    def __init__(
        self,
        network: Backbone,
        clips: Sequence[TrainingClip],
        predictor: FlowPredictor,
        folder: Path,
        *,
        align: AlignConfig = AlignConfig(),
        config: AdaptConfig = AdaptConfig(),
        perceptual: Perceptual | None = None,
        seed: int = 0,
        untrained: bool = False,
        processes: Processes | None = None,
        keeping: CheckpointConfig | None = None,
        on_step: Callable[[str, Step], None] = lambda stage, step: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.network, self.clips, self.predictor, self.folder = network, clips, predictor, folder
        self.align, self.config, self.perceptual, self.seed = align, config, perceptual, seed
        self.untrained, self.keeping, self.on_step, self.stop = untrained, keeping, on_step, stop
        self.processes = processes or Processes(next(network.parameters()).device)
        network.forget_ranges()  # gone on with, a run would begin without them, too
        evenly = config.teach == "truth"
        frames = [training_frames(c.selection, len(c.frames), config.frames, self._window, evenly) for c in clips]
        self.training_frames = frames
        self.judge = ProbeValidator(clips, frames, predictor, config.probes)

    @property
    def _window(self) -> int:
        """Frames that the network is trained on at once."""
        return 1 if self.network.needs.window == 1 else self.config.batch.window

    @property
    def _each_side(self) -> int:
        """Sharp frames aligned from each side: the label, and the guides of a network that takes some."""
        if self.network.needs.guides:
            return self.config.candidates
        return 0 if self.config.teach == "truth" else 1

    def run(self, on_progress: Progress = silent, deadline: float = math.inf) -> Adaptation:
        """StageLoss 1, a refresh of the alignments, stage 2.

        Args:
            on_progress: told stage name, steps done and steps in all.
            deadline: `time.monotonic()` at which to stop with what there is.

        Raises:
            Stopped: `stop` said so.
            DamagedState: the kept state is damaged.
            OutputError: the state cannot be kept.
        """
        started = time.monotonic()
        first = copy.deepcopy(self.network.state_dict())
        course = self._resumed() or TrainState(self._before(), perceptual=self.perceptual is not None)
        self._as_begun(course)
        if course.stage == 1:
            self._stage_one(course, on_progress, deadline)
            course.stage, course.done, course.optimiser = 2, 0, None
            # Twice: also the older state kept must need nothing of what is removed now.
            self._save(course)
            self._save(course)
            if self.processes.rank == 0:
                shutil.rmtree(self.folder / "one", ignore_errors=True)
        if course.stage == 2 and self.config.stage_two.steps and time.monotonic() < deadline:
            self._stage_two(course, on_progress, deadline)
        updates = 0 if course.snapshot is None else self.config.updates - course.snapshot.updates_left
        after = self.standing(self.network)
        kept = not self.config.judge or (
            after.trial >= course.before.trial and after.drift <= course.before.drift + self.config.most_drift
        )
        if not kept:
            log.info(
                "the adaptation did not pay and is dropped: trial %.2f dB, was %.2f", after.trial, course.before.trial
            )
            self.network.load_state_dict(first)
        return Adaptation(
            course.steps, time.monotonic() - started, course.before, after, updates, kept, course.perceptual
        )

    def _as_begun(self, course: TrainState) -> None:
        """A training goes on with the losses that it began with."""
        if course.perceptual and self.perceptual is None:
            raise WeightsError(
                "This training began with the perceptual loss and its VGG weights are gone;"
                " `selfhvd weights fetch vgg19` fetches them."
            )
        if not course.perceptual:
            self.perceptual = None

    def _stage_one(self, course: TrainState, on_progress: Progress, deadline: float) -> None:
        """Learn from the nearest sharp frames, aligned (or from the truth)."""
        if not self.config.stage_one.steps:
            return
        # What an untrained network gives shows nothing yet: align onto the input, the paper's first round.
        network = None if self.untrained else self.network
        stage = StageOne(self.config.loss, self.perceptual)
        self._train(course, network, "label", stage, self.config.stage_one, on_progress, deadline)

    def _stage_two(self, course: TrainState, on_progress: Progress, deadline: float) -> None:
        """Self-enhance, held in place by an earlier model (or go on with the truth, aligned anew)."""
        two = self.config.stage_two
        snapshot = course.snapshot
        if snapshot is None:
            config = self.config
            course.snapshot = snapshot = Snapshot(
                self.network, self.standing(self.network),
                updates=config.updates, tolerance=config.drift_tolerance, gain=config.least_gain,
            )  # fmt: skip
            self._save(course)
        snapshot.gain = self.config.least_gain
        stage = StageTwo(self.config.loss, self.perceptual, snapshot)
        lesson: Supervision = "label"
        if self.config.loss.rscr:
            lesson = "clues-removed" if self.config.loss.removed == "sharp" else "any-removed"
        every = max(1, two.steps // (self.config.checks + 1))

        def offer(step: int) -> None:
            held = self.config.teach == "sharp-frames" and self.config.loss.consistency > 0
            if held and step % every == 0 and step < two.steps and snapshot.updates_left:
                taken = snapshot.offer(self.network, self.standing(self.network))
                log.info("stage 2, step %d: snapshot %s", step, "replaced" if taken else "kept")

        self._train(course, snapshot.network, lesson, stage, two, on_progress, deadline, offer)

    def _train(
        self,
        course: TrainState,
        network: Backbone | None,
        lesson: Supervision,
        stage: StageLoss,
        loop: LoopConfig,
        on_progress: Progress,
        deadline: float,
        check: Callable[[int], None] = lambda step: None,
    ) -> None:
        """One stage, in rounds between which sharp frames are aligned anew; `course` is told of every step.

        In the first round they are aligned onto what `network` makes of the input (None: onto the input), then onto
        what the trained network makes of it.
        """
        lesson, stage = ("truth", learn_truth) if self.config.teach == "truth" else (lesson, stage)
        batch = replace(self.config.batch, guides=self.network.needs.guides, window=self._window)
        name, bar = f"stage {course.stage}", Stage.STAGE_ONE if course.stage == 1 else Stage.STAGE_TWO
        every = self.config.align_every or loop.steps

        def after_step(step: Step) -> bool:
            course.done, course.optimiser = step.number, step.optimiser.state_dict()
            on_progress(bar, step.number, loop.steps)
            self.on_step(name, step)
            check(step.number)
            if self.keeping and step.number % self.keeping.every == 0:
                self._save(course)
            return time.monotonic() < deadline and not self.stop()

        while course.done < loop.steps and time.monotonic() < deadline:
            materials = self._aligned(course, course.done // every, network, on_progress)
            sampler = Sampler(materials, lesson, batch, self.seed, (self.processes.rank, self.processes.count))
            until = min(loop.steps, (course.done // every + 1) * every)
            train(
                self.network, sampler.draw, stage, loop, after_step,
                processes=self.processes, done=course.done, optimiser_state=course.optimiser, until=until,
            )  # fmt: skip
            if course.done < until:
                break
        if self.processes.mean(float(self.stop())) > 0:
            self._save(course)
            raise Stopped
        course.steps += course.done

    def _aligned(
        self, course: TrainState, number: int, network: Backbone | None, on_progress: Progress
    ) -> tuple[AlignedStore, ...]:
        """The material of round `number` of the stage; made by the trained network but in the first."""
        folder = "one" if course.stage == 1 else "two"
        if number:
            network = self.network
            if course.done % self.config.align_every == 0:
                self._save(course)  # what aligns is what the state holds
            # The state before this one was kept in the round before at the earliest.
            if self.processes.rank == 0:
                shutil.rmtree(self.folder / folder / str(number - 2), ignore_errors=True)
        said = "align" if course.stage == 1 and not number else "align again"
        return self.materials(f"{folder}/{number}", network, partial(on_progress, said))

    def _resumed(self) -> TrainState | None:
        if self.keeping is None:
            return None
        return TrainState.resume(self.keeping.path, self.network, self.config.drift_tolerance)

    def _save(self, course: TrainState) -> None:
        if self.keeping is not None and self.processes.rank == 0:
            course.save(self.keeping.path, self.network)
        self.processes.meet()

    def _before(self) -> ProbeScores:
        return self.processes.from_first(self.judge.input()) if self.untrained else self.standing(self.network)

    def standing(self, network: Backbone) -> ProbeScores:
        """Drift, sharpness and trial of `network` on the probe frames; the same for all processes."""
        window = self.config.probe_window
        found = (
            self.judge.model(lambda clip: self.restorer(clip, network, window)) if self.processes.rank == 0 else None
        )
        standing = self.processes.from_first(found)
        assert standing is not None
        return standing

    def restorer(self, clip: TrainingClip, network: Backbone, window: int | None = None) -> Restorer:
        """The restorer with which outputs R_i are made between the stages."""
        config = RestoreConfig(rounds=1, each_side=1, window=window or self.config.batch.window)
        return Restorer(network, clip.frames, clip.selection, self.predictor, self.align, config)

    def materials(
        self, name: str, network: Backbone | None, on_frame: Callable[[int, int], None]
    ) -> tuple[AlignedStore, ...]:
        """Of every clip: the sharp frames around each training frame, aligned onto the output (Eq. 3), on disk.

        Each process makes those of its share of the clips; what an earlier run finished is passed over.

        Args:
            name: of the round.
            network: makes the outputs R_i; None = align onto the input.
            on_frame: told how many frames are done, and how many there are.
        """
        mine = range(self.processes.rank, len(self.clips), self.processes.count)
        total, done = sum(len(self.training_frames[n]) for n in mine), 0
        folders = [self.folder / name / clip.name for clip in self.clips]
        for n in mine:
            if not AlignedStore.complete(folders[n]):
                outputs = (
                    self.clips[n].frames.tensor if network is None else self.restorer(self.clips[n], network).frame
                )
                make_material(
                    folders[n], self.clips[n], self.training_frames[n], outputs, self._each_side, self.predictor,
                    self.align, self.config.labels, lambda so_far, before=done: on_frame(before + so_far, total),
                )  # fmt: skip
            done += len(self.training_frames[n])
            on_frame(done, total)
        self.processes.meet()
        return tuple(AlignedStore.open(folder) for folder in folders)
