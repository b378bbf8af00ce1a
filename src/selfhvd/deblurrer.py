"""The method on frames: select, adapt, restore. No files in, no files out."""

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from selfhvd.adapt import Adaptation, Adapter, Progress, TrainingClip, silent
from selfhvd.backbones import BACKBONES, Backbone
from selfhvd.config import DeblurConfig
from selfhvd.device import pick_device, settle
from selfhvd.errors import UsageError, WeightsError
from selfhvd.flow_choice import choose_flow
from selfhvd.frames import ArrayFrames, Frames
from selfhvd.method.sharp import Selection, find_sharp
from selfhvd.perceptual import find_perceptual
from selfhvd.restore import Restorer
from selfhvd.weights import BASE_WEIGHTS, at_hand, load_weights

log = logging.getLogger(__name__)

_LEAST_ADAPT_SIDE = 32
"""Frames smaller than this are restored without adaptation: there is nothing to crop from."""


class Deblurrer:
    """Learns from a clip's own sharp frames, then restores the clip.

    Example:
        deblurrer = Deblurrer(preset_config("fast")).fit(frames)
        sharp = list(deblurrer.restore())

    Args:
        config: everything that decides the result.
        folder: where training material is kept between steps; a temporary one by default.
    """

    def __init__(self, config: DeblurConfig = DeblurConfig(), folder: Path | None = None) -> None:
        self.config, self.folder = config, folder
        self.device = pick_device(config.device)
        self.predictor = choose_flow(config.flow, config.flow_weights, self.device, config.certainty)
        torch.manual_seed(config.seed)
        self.network = settle(self._first_network(), self.device)
        self.frames: Frames | None = None
        self.selection: Selection | None = None
        self.adaptation: Adaptation | None = None

    def _first_network(self) -> Backbone:
        """Untrained, from the weights given, or from those at hand for the network."""
        name, weights = self.config.backbone, self.config.weights
        if name not in BACKBONES:
            raise UsageError(f"There is no network called {name}; there are {', '.join(BACKBONES)}.")
        if self.config.from_scratch:
            config, network = BACKBONES[name]
            return network(config()).eval()
        weights = weights or (BASE_WEIGHTS if name == "lite" else at_hand(name))
        if weights is None:
            raise WeightsError(
                f"No weights for {name} are at hand; see `selfhvd weights list`, give --weights FILE, "
                "or start untrained with --from-scratch."
            )
        return load_weights(weights, name)

    def fit(
        self,
        frames: Frames | Sequence[UInt8[np.ndarray, "height width 3"]],
        keyframes: Sequence[bool] | None = None,
        on_progress: Progress = silent,
    ) -> "Deblurrer":
        """Select the sharp frames of a clip and adapt the network to it.

        Args:
            frames: the clip, RGB: arrays, or anything that reads frames by number.
            keyframes: which frames the codec coded on their own, where that is known.
            on_progress: told the stage, how much is done, how much there is.
        """
        self.frames = clip = frames if isinstance(frames, Frames) else ArrayFrames(frames)
        count = len(clip)
        if count == 0:
            raise UsageError("There are no frames to learn from.")
        seen = keyframes or [False] * count
        self.selection = find_sharp(clip, seen, self.config.sharp, lambda n, of: on_progress("select", n, of))
        if self.selection.verdict == "all-sharp":
            log.info("every frame is sharp: nothing to do")
            return self
        if self.selection.verdict == "none-sharp":
            log.info("no frame is sharp: detail comes from the general model, not from this clip")
        self.adaptation = self._adapt(clip, self.selection, on_progress)
        return self

    def _adapt(self, frames: Frames, selection: Selection, on_progress: Progress) -> Adaptation | None:
        steps = self.config.adapt.stage_one.steps + self.config.adapt.stage_two.steps
        if steps == 0 or len(selection.sharp) < 2 or min(frames.tensor(0).shape[-2:]) < _LEAST_ADAPT_SIDE:
            return None
        minutes = self.config.max_minutes
        deadline = float("inf") if minutes is None else time.monotonic() + 60 * minutes
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="adapt-") as folder:
            adapter = Adapter(
                self.network,
                [TrainingClip(frames, selection)],
                self.predictor,
                Path(folder),
                align=self.config.align,
                config=self.config.adapt,
                perceptual=find_perceptual(self.device),
                seed=self.config.seed,
                untrained=self.config.from_scratch,
            )
            return adapter.run(on_progress, deadline)

    def restore(self) -> Iterator[Float[Tensor, "3 height width"]]:
        """The fitted clip's frames in order, RGB in [0, 1], sharp where they were blurry.

        Raises:
            UsageError: `fit` was not called.
        """
        if self.frames is None or self.selection is None:
            raise UsageError("Call fit(frames) before restore().")
        if self.selection.verdict == "all-sharp" or not self._knows_something():
            return (self.frames.tensor(i) for i in range(len(self.frames)))
        return iter(
            Restorer(
                self.network,
                self.frames,
                self.selection,
                self.predictor,
                self.config.align,
                self.config.restore,
            )
        )

    def _knows_something(self) -> bool:
        """Whether the network is more than noise: trained, or the identity before any training."""
        learned = self.adaptation is not None and self.adaptation.kept
        if learned or not self.config.from_scratch or self.network.needs.starts_as_identity:
            return True
        log.warning(
            "%s learned nothing that does better than the clip itself: it comes out as it went in", self.config.backbone
        )
        return False
