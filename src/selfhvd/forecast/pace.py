"""Pace: how fast this machine is with a network and a flow, timed for a moment on a small picture of noise."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from selfhvd.backbones.backbone import Needs
from selfhvd.flow.predictor import Hop
from selfhvd.method.align import align_each
from selfhvd.run.config import DeblurConfig
from selfhvd.run.deblurrer import Deblurrer
from selfhvd.system.device import convolving
from selfhvd.system.threads import one_thread
from selfhvd.video.frame_source import ArrayFrames
from selfhvd.video.probe import Probe

_SIDE = 256
"""Pixels a side of the picture."""
_ENOUGH = 1.0
"""Seconds over which a timing is steady: other load on the machine comes and goes."""
_HANDLING = 0.45
"""Seconds a megapixel to decode, cache, measure, code and check a frame, one after the other."""
_LOADING = 3.0
"""Seconds until the first frame is read."""
_BESIDE = 1.15
"""So many times as long a frame takes where others are restored beside it: memory is shared."""
_STEP = 3.0
"""Views that a step of learning costs for each window of its batch: once forth, and twice as much back."""


@dataclass(frozen=True)
class Pace:
    """Seconds for the two things that take the time, and for what they were timed."""

    view: float
    """The network, a pixel of one frame."""
    guide: float
    """Aligning one of the sharp frames of a frame, a pixel of the size that the flow sees."""
    needs: Needs
    """Of the network."""
    flow: str
    device: str


def measure_pace(config: DeblurConfig) -> Pace:
    """Load what a run would load, and time it, on a CPU in one thread: 1 to 10 seconds.

    Raises:
        DeviceError, UsageError, WeightsError: the run could not begin, for the same reason.
    """
    ready = Deblurrer(config)
    needs = ready.network.needs
    frames = ArrayFrames(_noise(3))
    first = frames.tensor(0).to(ready.device)
    count = max(1, min(needs.window, 3), needs.least_frames)
    clip = first.expand(1, count, -1, -1, -1)
    images = clip[:, :, None]
    given = [images, torch.ones_like(images[:, :, :, :1])] if needs.guides else []

    @torch.inference_mode()
    def view() -> None:
        with convolving(ready.device, config.restore.bfloat16):
            float(ready.network(clip, *given).mean())  # a number, so that a GPU has finished

    around = (1, 2) * max(1, config.restore.each_side)
    sharp = [frames.tensor(number).to(ready.device)[None] for number in around]
    hops = [Hop(n % 2, np.eye(3)) if n > 1 else None for n in range(len(around))]

    @torch.inference_mode()
    def guides() -> None:
        aligned = align_each(first[None], sharp, ready.predictor, config.align, hops)
        float(sum(guide.image.mean() for guide in aligned))

    pixels = _SIDE * _SIDE
    with one_thread():
        shown, aligned = _timed(view) / (count * pixels), _timed(guides) / (len(around) * pixels)
    return Pace(shown, aligned, needs, ready.predictor.name, str(ready.device))


def expected_seconds(head: Probe, config: DeblurConfig, pace: Pace, workers: int = 1) -> float:
    """Time of a whole run, if no frame is handed through, none restored or steadied twice.

    That two sharp frames more are shown to sharp ones is not counted, nor that pairs of them are looked at once: on our
    clips the one is worth about the other.
    """
    flown = head.pixels * min(1.0, config.align.scale(head.height, head.width)) ** 2
    guided = config.restore.guided and pace.needs.guides > 0
    turns = config.restore.rounds - 1 if guided else 0
    views = turns + config.restore.ensemble
    guides = 2 * (turns + config.restore.each_side) if guided else 0
    aligned = guides + bool(config.restore.steadiness)
    restore = views * head.pixels * pace.view + aligned * flown * pace.guide
    shared = restore * _BESIDE / workers if workers > 1 else restore
    handling = _HANDLING * head.pixels / 1e6
    return _LOADING + head.frames * (shared + handling) + _learning(head, config, pace, flown, restore)


def _learning(head: Probe, config: DeblurConfig, pace: Pace, flown: float, restore: float) -> float:
    """Both stages: the steps, and the material that is made for them once for each picture of the clip."""
    adapt, pixels, steps = config.adapt, head.pixels, config.steps
    if not steps:
        return 0.0
    window = min(adapt.batch.window, pace.needs.window)
    crop = min(adapt.batch.crop**2, pixels)
    step = _STEP * adapt.batch.size * window * crop * pace.view
    learned_from = min(adapt.frames, head.frames)
    aligned = 2 * adapt.candidates * flown * pace.guide
    material = learned_from * (2 * aligned + restore)
    known = steps * step + material
    return known if config.max_minutes is None else min(known, 60 * config.max_minutes)


def _noise(count: int) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    coarse = draw.integers(0, 256, (_SIDE // 4, _SIDE // 4, 3), dtype=np.uint8)
    picture = coarse.repeat(4, axis=0).repeat(4, axis=1)
    return [np.roll(picture, n, axis=1) for n in range(count)]


def _timed(work: Callable[[], None]) -> float:
    """Mean seconds; the first time, which also sets things up, counts only where it took long."""

    def once() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    first = once()
    if first > _ENOUGH:
        return first
    taken = [once()]
    while sum(taken) < _ENOUGH:
        taken.append(once())
    return sum(taken) / len(taken)
