"""Preview: the hardest stretch of a clip, found on reduced frames that nothing is kept of."""

import logging
import tempfile
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, isfinite
from pathlib import Path

from torch import Tensor

from selfhvd.errors import UsageError
from selfhvd.extensions.blur import BlurMeter
from selfhvd.extensions.scenes import CutFinder, SceneConfig
from selfhvd.extensions.selection import SharpConfig
from selfhvd.system.progress import Progress, Stage, silent
from selfhvd.video import Limits, ingest, probe
from selfhvd.video.footage import frame_path
from selfhvd.video.frame import as_tensor
from selfhvd.video.frame_file import read_frame
from selfhvd.video.part import Part

log = logging.getLogger(__name__)

_LONGEST = 960
"""Pixels of the longer side that is measured; at 640 the lengths of a 2048x1152 clip no longer told sharp frames."""
_AHEAD = 32
"""Frames that lie on the disk at once, at most."""
_MOST = 20.0
"""Pixels of blur beyond which a frame counts no harder, so that a few lost ones do not decide."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of a clip, and why it was chosen."""

    part: Part
    frames: int
    blurred: int
    """How many of them are blurred."""

    @property
    def words(self) -> str:
        """For people."""
        return f"The hardest stretch is {self.part.words}: {self.blurred} of its {self.frames} frames are blurred."


def check_preview(seconds: float | None, part: Part | None) -> None:
    """`UsageError` unless a preview, if there is to be one, has a length and nobody chose its place."""
    if seconds is None:
        return
    if not (seconds > 0 and isfinite(seconds)):
        raise UsageError(f"A preview of {seconds:g} seconds makes no sense; give a length above 0.")
    if part is not None:
        raise UsageError("A preview chooses its stretch itself, so it does not go together with a start or an end.")


def hardest_stretch(
    source: Path,
    seconds: float,
    rate: Fraction | None = None,
    sharp: SharpConfig = SharpConfig(),
    scenes: SceneConfig = SceneConfig(),
    on_progress: Progress = silent,
) -> Stretch:
    """The stretch of so many seconds with most blur, among those with sharp frames to restore from.

    The whole clip is decoded once. `rate`: frames per second of a folder of images. `sharp` and `scenes` as for a run.

    Raises:
        InputError, OutputError: as for reading the whole clip.
    """
    blur = measure_blur(source, rate, scenes, on_progress)
    found = hardest(blur.times, blur.lengths, Fraction(str(seconds)), sharp)
    log.info("%s", found.words)
    return found


@dataclass(frozen=True)
class Blur:
    """How blurred each frame of a clip is."""

    times: tuple[Fraction, ...]
    """Seconds from the first frame."""
    lengths: tuple[float, ...]
    """Pixels of the clip that a frame is smeared by; infinite where it cannot be told."""


def measure_blur(
    source: Path,
    rate: Fraction | None = None,
    scenes: SceneConfig = SceneConfig(),
    on_progress: Progress = silent,
) -> Blur:
    """Look at each frame of a clip once, reduced; of the frames nothing is kept.

    `rate`: frames per second of a folder of images.

    Raises:
        InputError, OutputError: as for reading the whole clip.
    """
    meter = _Meter(scenes)
    with tempfile.TemporaryDirectory(prefix="selfhvd-preview-") as work:
        folder, seen = Path(work), 0

        def look(done: int, of: int | None) -> None:
            nonlocal seen
            for number in range(seen, done):
                if (image := read_frame(frame_path(folder, number))) is not None:
                    meter.add(as_tensor(image))
                if number:  # the last stays, for one that stands in for a damaged frame is copied from it
                    frame_path(folder, number - 1).unlink()
            seen = done
            on_progress(Stage.PREVIEW, done, of or 0)

        footage = ingest(source, folder, on_frame=look, limits=Limits(longest=_LONGEST, ahead=_AHEAD), rate=rate)
        look(len(footage), len(footage))  # those that stand in for damaged ones at the end
    scale = footage.width / probe(source).width
    times = tuple(footage.seconds(index) - footage.seconds(0) for index in range(len(footage)))
    return Blur(times, tuple(length / scale for length in meter.lengths()))


class _Meter:
    """Measures the frames of a clip, scene by scene, as they come."""

    def __init__(self, scenes: SceneConfig) -> None:
        self._finder = CutFinder(scenes) if scenes.find else None
        self._around = scenes.around if scenes.find else 0
        self._waiting: deque[Tensor] = deque()
        self._measured = 0
        self._meters = [BlurMeter()]

    def add(self, image: Tensor) -> None:
        """See the next frame."""
        if self._finder is not None:
            self._finder.add(image)
        self._waiting.append(image)
        if len(self._waiting) > self._around:  # whether a scene begins with it is known now
            self._measure()

    def lengths(self) -> list[float]:
        """Pixels that each frame is smeared by, after the last one was added."""
        if self._finder is not None:
            self._finder.end()
        while self._waiting:
            self._measure()
        return [length for meter in self._meters for length in meter.lengths()]

    def _measure(self) -> None:
        if self._finder is not None and self._measured in self._finder.cuts:
            self._meters.append(BlurMeter())
        self._meters[-1].add(self._waiting.popleft())
        self._measured += 1


def hardest(
    times: Sequence[Fraction], lengths: Sequence[float], seconds: Fraction, sharp: SharpConfig = SharpConfig()
) -> Stretch:
    """The hardest of the stretches that begin with a frame and end with the clip at the latest.

    `times`, from 0, in seconds, and `lengths`, in pixels of blur, are those of all frames. Those stretches come first
    that have a sharp frame in each segment, on the average; else those that have most.
    """
    best, chosen, part = (-1.0, -1.0), range(0), Part()
    for time in times:
        start = Fraction(floor(1000 * time), 1000)
        inside = range(bisect_left(times, start), bisect_left(times, start + seconds))
        known = [lengths[n] for n in inside if isfinite(lengths[n])]
        clear = sum(length <= sharp.blurred_above for length in known)
        wanted = max(1.0, len(inside) / sharp.segment)
        rank = min(1.0, clear / wanted), sum(min(length, _MOST) for length in known) / len(inside)
        if rank > best:
            best, chosen, part = rank, inside, Part(start, start + seconds)
        if inside.stop == len(times):
            break  # what follows is shorter
    return Stretch(part, len(chosen), sum(lengths[n] > sharp.blurred_above for n in chosen))
