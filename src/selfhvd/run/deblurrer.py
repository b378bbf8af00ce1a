"""The method on frames: select, adapt, restore; nothing is written but, on demand, a folder to go on from."""

import copy
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.backbones import Backbone
from selfhvd.errors import UsageError
from selfhvd.extensions.scenes import Scene, find_scenes, joined
from selfhvd.extensions.selection import Selection
from selfhvd.method.perceptual import find_perceptual
from selfhvd.restore.restorer import Restorer
from selfhvd.restore.shelf import Shelf
from selfhvd.run.config import DeblurConfig
from selfhvd.run.stage_cache import StageCache
from selfhvd.system.device import pick_device, settle
from selfhvd.system.progress import Progress, silent
from selfhvd.training.checkpoint import DamagedState
from selfhvd.training.clip import TrainingClip
from selfhvd.training.config import Adaptation, AdaptConfig
from selfhvd.training.two_stage import TwoStageTrainer
from selfhvd.video.frame import Picture
from selfhvd.video.frame_source import ArrayFrames, Frames
from selfhvd.weights.choose_backbone import choose_backbone
from selfhvd.weights.choose_flow import choose_flow

log = logging.getLogger(__name__)

_LEAST_ADAPT_SIDE = 32
"""Frames smaller than this are restored without adaptation: there is nothing to crop from."""
_LEAST_FRAMES = 8
"""Frames that each scene is trained on, however many there are."""


class Deblurrer:
    """Finds a clip's sharp frames, learns from them if the configuration says so, and restores the clip.

    Example:
        deblurrer = Deblurrer(preset_config("fast")).fit(frames)
        sharp = list(deblurrer.restore())

    Args:
        config: everything that decides the result.
        folder: where what is found and learned is kept, so that a later run on the same clip with the same
            configuration goes on from it; by default nowhere.
    """

    def __init__(self, config: DeblurConfig = DeblurConfig(), folder: Path | None = None) -> None:
        self.config, self.folder = config.resolved(), folder
        self.device = pick_device(config.device)
        self.predictor = choose_flow(config.flow, config.flow_weights, self.device, config.certainty, camera=True)
        torch.manual_seed(config.seed)
        self.network = settle(self._first_network(), self.device)
        self.frames: Frames | None = None
        self.scenes: tuple[Scene, ...] = ()
        self.adaptation: Adaptation | None = None

    def _first_network(self) -> Backbone:
        return choose_backbone(
            self.config.backbone,
            self.config.weights,
            untrained=self.config.from_scratch,
            otherwise="give --weights FILE, or start untrained with --from-scratch",
        )

    def fit(
        self,
        frames: Frames | Sequence[Picture],
        keyframes: Sequence[bool] | None = None,
        on_progress: Progress = silent,
        stop: Callable[[], bool] = lambda: False,
    ) -> "Deblurrer":
        """Cut a clip into scenes, select the sharp frames of each and, if asked to, adapt the network to the clip.

        Args:
            frames: the clip, RGB: arrays `height width 3` (uint8, uint16, or floats in [0, 1]), or anything that reads
                frames by number.
            keyframes: which frames the codec coded on their own, where that is known.
            on_progress: told the stage, how much is done, how much there is.
            stop: asked after each step of learning; True saves its state and raises `selfhvd.errors.Stopped`.

        Raises:
            UsageError: there is no frame, one is no such array or of another size, or `keyframes` has another length.
        """
        self.frames = clip = frames if isinstance(frames, Frames) else ArrayFrames(frames)
        if len(clip) == 0:
            raise UsageError("There are no frames to learn from.")
        if keyframes is not None and len(keyframes) != len(clip):
            raise UsageError(f"There are {len(clip)} frames but {len(keyframes)} keyframes; say of each, or of none.")
        self.scenes = self._find_scenes(clip, keyframes or [False] * len(clip), on_progress)
        if len(self.scenes) > 1:
            log.info("%d scenes, cut at frames %s", len(self.scenes), ", ".join(str(s.start) for s in self.scenes[1:]))
        if self.is_left():
            log.info("nothing is blurred: every frame stays as it came")
            return self
        if joined(self.scenes).verdict == "none-sharp":
            log.info("no frame is sharp: detail comes from the general model, not from this clip")
        self.adaptation = self._adapt(clip, on_progress, stop)
        return self

    @property
    def selection(self) -> Selection | None:
        """Which frames of the clip are sharp; None before `fit`."""
        return joined(self.scenes) if self.scenes else None

    def is_left(self) -> bool:
        """Whether every frame comes back as it came, because none is blurred; after `fit`."""
        return self.count_left() == sum(map(len, self.scenes))

    def count_left(self) -> int:
        """How many frames come back as they came; after `fit`."""
        return sum(sum(scene.selection.left(self.config.restore.which)) for scene in self.scenes)

    def _find_scenes(self, frames: Frames, keyframes: Sequence[bool], on_progress: Progress) -> tuple[Scene, ...]:
        kept = None if self.folder is None else StageCache(self.folder)
        scenes = None if kept is None else kept.scenes(len(frames))
        if scenes is None:
            scenes = find_scenes(frames, keyframes, self.config.scenes, self.config.sharp, on_progress)
            if kept is not None:
                kept.keep_scenes(scenes)
        return scenes

    def _adapt(self, frames: Frames, on_progress: Progress, stop: Callable[[], bool]) -> Adaptation | None:
        clips = self._training_clips(frames) if self.config.steps else []
        if not clips or min(frames.tensor(0).shape[-2:]) < _LEAST_ADAPT_SIDE:
            return None
        adaptation = self._adapted(clips, on_progress, stop)
        return adaptation if adaptation.steps else None  # the time was up before the first

    def _adapted(self, clips: list[TrainingClip], on_progress: Progress, stop: Callable[[], bool]) -> Adaptation:
        if self.folder is None:
            with tempfile.TemporaryDirectory(prefix="selfhvd-adapt-") as folder:
                return self._adapter(clips, Path(folder)).run(on_progress, self._deadline())
        kept = StageCache(self.folder)
        adaptation = kept.adaptation(self.network)
        if adaptation is None:
            adaptation = self._learn(clips, kept, on_progress, stop)
            kept.keep_adaptation(adaptation, self.network)
        shutil.rmtree(kept.learning, ignore_errors=True)
        return adaptation

    def _learn(
        self, clips: list[TrainingClip], kept: StageCache, on_progress: Progress, stop: Callable[[], bool]
    ) -> Adaptation:
        """Go on from the state kept; where that is damaged, from the start."""
        first = copy.deepcopy(self.network.state_dict())
        try:
            return self._adapter(clips, kept.learning, kept, stop).run(on_progress, self._deadline())
        except DamagedState:
            log.warning("%s is damaged: the learning begins anew", kept.keeping.path)
            self.network.load_state_dict(first)
            shutil.rmtree(kept.learning, ignore_errors=True)
            return self._adapter(clips, kept.learning, kept, stop).run(on_progress, self._deadline())

    def _adapter(
        self,
        clips: list[TrainingClip],
        folder: Path,
        kept: StageCache | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> TwoStageTrainer:
        return TwoStageTrainer(
            self.network,
            clips,
            self.predictor,
            folder,
            align=self.config.align,
            config=_shared_out(self.config.adapt, len(clips)),
            perceptual=find_perceptual(self.device),
            seed=self.config.seed,
            untrained=self.config.from_scratch,
            keeping=None if kept is None else kept.keeping,
            stop=stop,
        )

    def _training_clips(self, frames: Frames) -> list[TrainingClip]:
        """The scenes from which there is something to learn."""
        alone, least = len(self.scenes) == 1, self.config.scenes.around
        return [
            TrainingClip(scene.of(frames), scene.selection, name="clip" if alone else f"scene-{scene.start:08d}")
            for scene in self.scenes
            if len(scene.selection.sharp) >= 2
            and (alone or (len(scene) >= least and not all(scene.selection.left(self.config.restore.which))))
        ]

    def _deadline(self) -> float:
        minutes = self.config.max_minutes
        return float("inf") if minutes is None else time.monotonic() + 60 * minutes

    def restore(self, first: int = 0) -> Iterator[Float[Tensor, "3 height width"]]:
        """The fitted clip's frames in order, RGB in [0, 1], on the CPU, sharp where they were blurry.

        Args:
            first: number of the frame to begin with; what comes is the same as if it had begun at 0.

        Raises:
            UsageError: `fit` was not called.
        """
        return (frame.cpu() for frame in self.restore_on_device(first))

    def restore_on_device(self, first: int = 0) -> Iterator[Float[Tensor, "3 height width"]]:
        """As `restore`; the frames that are restored stay on the run's device.

        Raises:
            UsageError: `fit` was not called.
        """
        if self.frames is None or not self.scenes:
            raise UsageError("Call fit(frames) before restore().")
        knows = self.is_left() or self._knows_something()
        left = [scene for scene in self.scenes if scene.end > first]
        return chain.from_iterable(self._restored(scene, max(0, first - scene.start), knows) for scene in left)

    def _restored(self, scene: Scene, first: int, knows: bool) -> Iterator[Float[Tensor, "3 height width"]]:
        """The frames of one scene, from its frame `first` on."""
        assert self.frames is not None
        restorer = self.restorer(scene) if knows else None
        if restorer is None:
            frames = scene.of(self.frames)
            return (frames.tensor(i) for i in range(first, len(frames)))
        return restorer.since(first)

    def restorer(self, scene: Scene, shelf: Shelf | None = None) -> Restorer | None:
        """Of one scene of the fitted clip; None where all its frames stay as they came."""
        assert self.frames is not None
        if all(scene.selection.left(self.config.restore.which)):
            return None
        return Restorer(
            self.network, scene.of(self.frames), scene.selection, self.predictor, self.config.align,
            self.config.restore, shelf,
        )  # fmt: skip

    def can_share(self) -> bool:
        """Whether the fitted clip's frames can be restored one by one, in whatever process; else in order, in this."""
        return self.network.needs.single and not self.is_left() and self._knows_something()

    def _knows_something(self) -> bool:
        """Whether the network is more than noise: trained, or the identity before any training."""
        learned = self.adaptation is not None and self.adaptation.kept
        if learned or not self.config.from_scratch or self.network.needs.starts_as_identity:
            return True
        log.warning(
            "%s learned nothing that does better than the clip itself: it comes out as it went in", self.config.backbone
        )
        return False


def _shared_out(config: AdaptConfig, clips: int) -> AdaptConfig:
    """So many scenes share the frames that one would be trained on."""
    return config if clips == 1 else replace(config, frames=max(_LEAST_FRAMES, config.frames // clips))
