"""Forecast: the plan of one run and what it will take, without running it."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import psutil
import torch

from selfhvd.forecast.pace import Pace, expected_seconds
from selfhvd.run.config import DeblurConfig
from selfhvd.run.disk_space import Room, as_footage, free_room, needed_room
from selfhvd.run.workers import worker_bytes, workers_for
from selfhvd.video import Coding
from selfhvd.video.destination import is_folder
from selfhvd.video.part import Part
from selfhvd.video.probe import Probe, foretold, probe
from selfhvd.video.write.encoder_choice import Plan, plan

_FLOATS = 28
"""Frames in memory at once as float32: recent ones, guides, flows, sums (fitted to two runs,
docs/ablations.md#forecast); restored guides, `RestoreConfig.kept_guides`, come on top (counted, not measured)."""
_SHARE = 0.5
"""Part of the free memory that a network may fill; beyond it the frame is cut into tiles."""


@dataclass(frozen=True)
class Forecast:
    """What would be done, and about what it would take."""

    source: Path
    extent: str
    """What of the clip is restored, in words; "" for all of it."""
    destination: Path
    head: Probe
    container: str
    """FFmpeg's muxer; "folder" for pictures."""
    codec: str
    """FFmpeg's encoder; "png" for pictures."""
    pixel_format: str
    quality: str
    """Of the coding, in words; "" for pictures."""
    notes: tuple[str, ...]
    """What the coding changes, in words."""
    preset: str
    network: str
    flow: str
    device: str
    steps: int
    """Of learning, at most; 0 = the weights are used as they are."""
    room: Room
    free: int
    """Bytes free where the run works."""
    memory: int
    """Bytes, at most about; of the GPU's as well as of the machine's where there is one."""
    seconds: float
    """Rough."""
    strength: float
    """How much of the restoration is blended in, 0..1."""
    stays: int
    """Bytes that are left afterwards: the result, and the frames where the work is kept."""

    def facts(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            **{name: value for name, value in vars(self).items() if name not in ("head", "room")},
            "source": str(self.source),
            "destination": str(self.destination),
            "head": vars(self.head),
            "disk": {**vars(self.room), "total": self.room.total},
        }


def forecast(
    source: Path,
    destination: Path,
    config: DeblurConfig,
    pace: Pace,
    *,
    strength: float = 1.0,
    coding: Coding = Coding(),
    keep_work: bool = False,
    strip_location: bool = False,
    part: Part | None = None,
    extent: str = "",
    rate: Fraction | None = None,
    workers: int | None = 1,
) -> Forecast:
    """Look at a clip's head and say what a run on it, or on a part of it, would be.

    `extent`: the part in words. `rate`: frames per second of a folder of images. `workers`: as asked for.

    Raises:
        InputError: the clip cannot be read.
    """
    head = probe(source).within(part, rate)
    container, codec, pixel_format, quality, notes = _coding(head, source, destination, coding)
    beside = workers_for(head.pixels, head.frames, pace.needs, torch.device(pace.device), workers)
    room = needed_room(head, destination, config, coding, beside)
    return Forecast(
        source=source,
        extent=extent,
        destination=destination,
        head=head,
        container=container,
        codec=codec,
        pixel_format=pixel_format,
        quality=quality,
        notes=(*notes, *_lost(head, source, destination, strip_location)),
        preset=config.preset,
        network=config.backbone,
        flow=pace.flow,
        device=pace.device,
        steps=config.steps,
        room=room,
        free=free_room(destination),
        memory=_memory(head, pace, config.restore.kept_guides, beside),
        seconds=expected_seconds(head, config, pace, beside),
        strength=strength,
        stays=room.result + (room.cache if keep_work else 0),
    )


def _coding(head: Probe, source: Path, destination: Path, coding: Coding) -> tuple[str, str, str, str, tuple[str, ...]]:
    """Container, codec, pixel format, quality and changes that the writer will choose."""
    if is_folder(destination):
        return "folder", "png", "rgb24" if head.depth == 8 else "rgb48", "", ()
    chosen = plan(as_footage(head, source), destination, coding)
    return chosen.container, chosen.codec, chosen.pixel_format, _quality(chosen), chosen.warnings


def _lost(head: Probe, source: Path, destination: Path, strip_location: bool) -> tuple[str, ...]:
    """Other tracks that the result cannot hold, in words."""
    if head.kind == "images":
        return ()
    if is_folder(destination):
        return ("a folder of images holds no sound and no times",)
    return foretold(source, destination, strip_location=strip_location)


def _quality(chosen: Plan) -> str:
    """The quality of a plan in words."""
    if chosen.quality is None:
        return "the codec's own quality"
    bound = "" if chosen.room is None else f", or less where it would be over {chosen.room:.1f} times the source's size"
    return f"quality {chosen.quality:g} of 100{bound}"


def _memory(head: Probe, pace: Pace, guides: int, workers: int) -> int:
    """What this process has by now, and its workers; or frames, and the network's work, below its share by tiles."""
    if workers > 1:
        return psutil.Process().memory_info().rss + workers * worker_bytes(head.pixels)
    window = max(1, pace.needs.window)
    work = pace.needs.bytes_per_pixel * window * head.pixels
    tiled = min(work, int(_SHARE * psutil.virtual_memory().available))
    return psutil.Process().memory_info().rss + tiled + (_FLOATS + guides + window) * 12 * head.pixels
