"""Where the measured outputs of a clip come from: a network, files, the input itself, the training-free composite."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from selfhvd.datasets.places import find_video
from selfhvd.errors import InputError
from selfhvd.method.composite import composite
from selfhvd.ops.quantize import to_pixels
from selfhvd.research.evaluation.open_clip import OpenClip
from selfhvd.restore.restorer import Restorer
from selfhvd.run.config import preset_config
from selfhvd.system.device import pick_device, settle
from selfhvd.video import ingest
from selfhvd.video.frame import as_bytes
from selfhvd.video.frame_source import RecentFrames
from selfhvd.video.image_frames import ImageFrames
from selfhvd.video.read.images import list_images
from selfhvd.weights import name_of
from selfhvd.weights.choose_backbone import choose_backbone
from selfhvd.weights.choose_flow import FlowName, choose_flow

Image = UInt8[np.ndarray, "height width 3"]


@runtime_checkable
class Outputs(Protocol):
    """Gives the outputs of one clip after another."""

    @property
    def about(self) -> str:
        """How they are made, in words."""
        ...

    def of(self, clip: OpenClip) -> Iterator[Image]:
        """The output for each frame in order, RGB, rounded to 8 bits; `InputError` if there is none."""
        ...


class Untouched:
    """The input itself."""

    about = "the input itself"

    def of(self, clip: OpenClip) -> Iterator[Image]:
        """See `Outputs.of`."""
        return (as_bytes(clip.frames.frame(i)) for i in range(len(clip.frames)))


@dataclass(frozen=True)
class Given:
    """Outputs that are there already: `folder/CLIP`, a folder of images, or a video with any ending."""

    folder: Path

    @property
    def about(self) -> str:
        """See `Outputs.about`."""
        return f"outputs found in {self.folder}"

    def of(self, clip: OpenClip) -> Iterator[Image]:
        """See `Outputs.of`."""
        path = self.folder / clip.name
        video = None if path.is_dir() else find_video(path)
        if video is None and not path.is_dir():
            raise InputError(f"there is no result: expected {path} as a folder of images or a video, found none.")
        frames = ImageFrames(tuple(list_images(path)), alike=True) if video is None else ingest(video, clip.work)
        if len(frames) != len(clip.frames):
            raise InputError(f"{video or path} has {len(frames)} frames, but the clip has {len(clip.frames)}.")
        return (as_bytes(frames.frame(i)) for i in range(len(frames)))


class Composited:
    """The training-free composite; see `selfhvd.method.composite`.

    Args:
        flow: which aligns the sharp frames.
        flow_weights: see `choose_flow`.
        device: see `pick_device`.
    """

    def __init__(self, flow: FlowName = "dis", flow_weights: Path | None = None, device: str = "auto") -> None:
        self._predictor = choose_flow(flow, flow_weights, pick_device(device), shutter=False)
        self.about = f"the training-free composite, aligned by {self._predictor.name}"

    def of(self, clip: OpenClip) -> Iterator[Image]:
        """See `Outputs.of`."""
        frames = RecentFrames(clip.frames)
        return (
            to_pixels(composite(frames, clip.selection.sharp, index, self._predictor))
            for index in range(len(clip.frames))
        )


class Restored:
    """What a network makes of the clip with its weights as they are: nothing is learnt from the clip.

    Args:
        weights: of any network; None = the base weights of `lite`.
        hand_through: give the sharpest frames, and clips that are sharp throughout, as they are, as `selfhvd deblur
            --keep-sharp` does; without it every frame shows the network.
        flow: which aligns the sharp frames, for networks that are given some.
        flow_weights: see `choose_flow`.
        device: see `pick_device`.

    Raises:
        WeightsError, DeviceError, UsageError: see `load_weights`, `pick_device` and `choose_flow`.
    """

    def __init__(
        self,
        weights: Path | None = None,
        *,
        hand_through: bool = False,
        flow: FlowName = "dis",
        flow_weights: Path | None = None,
        device: str = "auto",
    ) -> None:
        place = pick_device(device)
        name = "lite" if weights is None else name_of(weights)
        self._network = settle(choose_backbone(name, weights), place)
        self._predictor = choose_flow(flow, flow_weights, place)
        preset = preset_config(backbone=name, weights=weights)
        self._align, self._config = preset.align, replace(preset.restore, which="blurry" if hand_through else "all")
        aligned = f", guides aligned by {self._predictor.name}" if self._network.needs.guides else ""
        sharp = "frames that are not blurred handed through" if hand_through else "every frame through the network"
        self.about = f"{name} with {weights or 'its base weights'} as they are{aligned}; {sharp}"

    def of(self, clip: OpenClip) -> Iterator[Image]:
        """See `Outputs.of`."""
        if all(clip.selection.left(self._config.which)):
            return Untouched().of(clip)
        restorer = Restorer(self._network, clip.frames, clip.selection, self._predictor, self._align, self._config)
        return map(to_pixels, restorer)
