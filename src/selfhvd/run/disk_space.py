"""Room on the disk: how much a run needs while it works, and whether it is there."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from selfhvd.errors import InputError, OutputError
from selfhvd.run.config import DeblurConfig
from selfhvd.system.disk import free_in, in_bytes
from selfhvd.training.aligned_store import record_bytes
from selfhvd.video import Coding, Color, Footage
from selfhvd.video.destination import is_folder
from selfhvd.video.part import Part
from selfhvd.video.probe import Probe, probe
from selfhvd.video.write.encoder_choice import plan

log = logging.getLogger(__name__)

_CODED_BYTES = 0.1
"""Of a pixel of the result as a video; 0.012 to 0.096 were measured on seven clips (docs/ablations.md#forecast)."""

_BEST_QUALITY, _DOUBLING = 90, 15
"""The quality that this was measured at, and by how much less of it the bytes are halved (6 of x264's rate factor)."""
_FIXED_BYTES = 1.2
"""Of a pixel in ProRes HQ (0.9 at 1920x1080, by its maker's white paper) or FFV1, at most about."""

_TYPICAL, _TYPICAL_DEEP = 0.9, 3.5
"""Bytes of a pixel of a frame file of 8 bits, and of more (first frames: 0.7 to 1.1 on seven clips, 3.5 on one)."""
_TYPICAL_PNG, _TYPICAL_DEEP_PNG = 1.0, 4.5
"""The same of a PNG (0.9 to 1.5, and 4.5)."""
_SHELVED, _MOTIONS = 33, 15
"""Frames, and motions, on the shelf for each worker at most (485 bytes a pixel were seen at 1280x720 with two, 954 and
1615 at 480x272 with two and four; eight of the frames are reckoned for those that wait to relay)."""
_EMPTY = 0.1
"""Share of that below which a frame says nothing about the others; the emptiest of our clips has 0.12."""


@dataclass(frozen=True)
class Room:
    """Bytes that a run fills in the folder of its result; only that is left afterwards, and the cache if it is kept."""

    cache: int
    """Every frame, losslessly, as it came and as it is restored: an unfinished run goes on from them."""
    material: int
    """What is learned from; at most, for how many frames are blurry is not known before."""
    result: int
    shelf: int = 0
    """What workers leave to one another, at most at a time."""

    @property
    def total(self) -> int:
        """All of them at once."""
        return self.cache + self.material + self.result + self.shelf


def needed_room(
    head: Probe, destination: Path, config: DeblurConfig, coding: Coding = Coding(), workers: int = 1
) -> Room:
    """What a run will fill, going by the size of its first frame in the cache."""
    frames = head.frames * _likely(head, head.frame_bytes, _TYPICAL, _TYPICAL_DEEP)
    pngs = head.frames * _likely(head, head.png_bytes, _TYPICAL_PNG, _TYPICAL_DEEP_PNG)
    adapt = config.adapt
    learned_from = min(adapt.frames, head.frames) if config.steps else 0
    result = pngs if is_folder(destination) else result_bytes(head, destination, coding)
    material = learned_from * record_bytes(2 * adapt.candidates) * head.pixels
    return Room(2 * frames, material, result, _shelf_bytes(head, config, workers))


def _shelf_bytes(head: Probe, config: DeblurConfig, workers: int) -> int:
    """Frames of 16 bits, and motions of sharp frames, six floats a pixel of the size at which flow is found."""
    if workers < 2:
        return 0
    flown = head.pixels * min(1.0, config.align.scale(head.height, head.width)) ** 2
    frames, motions = min(2 * head.frames, _SHELVED * workers), min(4 * head.frames, _MOTIONS * workers)
    return int(6 * frames * head.pixels + 24 * motions * flown)


def result_bytes(head: Probe, destination: Path, coding: Coding) -> int:
    """About the size of a result that is a video; no less than it may become, where its source's size bounds it."""
    chosen = plan(as_footage(head), destination, coding)
    pixels = head.frames * head.pixels
    if chosen.quality is None:
        return int(_FIXED_BYTES * pixels)
    best = _CODED_BYTES * 2 ** ((chosen.quality - _BEST_QUALITY) / _DOUBLING) * pixels
    if chosen.room is None or not head.coded_bytes:
        return int(best)
    return int(min(best, chosen.room * head.coded_bytes))


def as_footage(head: Probe, source: Path = Path()) -> Footage:
    """The head in the form that the plan of the writing asks for; it has no frames."""
    return Footage(
        source=source,
        folder=Path(),
        kind=head.kind,
        count=head.frames,
        width=head.width,
        height=head.height,
        depth=head.depth,
        times=(),
        durations=(),
        time_base=Fraction(1),
        keyframes=(),
        codec=head.codec,
        pixel_format=head.pixel_format,
        rotation=0,
        color=Color(),
        sample_aspect_ratio=Fraction(1),
        profile=head.profile,
        sizes=(head.coded_bytes,) if head.coded_bytes else (),
    )


def _likely(head: Probe, first: int, typical: float, typical_deep: float) -> int:
    """Bytes of the first frame; of a typical one where that is all but empty, as when a film fades in from black."""
    likely = int((typical if head.depth == 8 else typical_deep) * head.pixels)
    return first if first > _EMPTY * likely else likely


def free_room(destination: Path) -> int:
    """Bytes free where the result goes, which need not exist yet; runs do their work beside it."""
    return free_in(destination.absolute().parent)


def check_room(
    source: Path,
    destination: Path,
    config: DeblurConfig,
    held: int = 0,
    coding: Coding = Coding(),
    part: Part | None = None,
    rate: Fraction | None = None,
    beside: Callable[[int, int], int] = lambda pixels, frames: 1,
) -> int:
    """Refuse a run before it begins for which there is no room; how many workers it is likely to have.

    Args:
        source: the clip.
        destination: of the result; the run works in the same folder.
        config: of the run.
        held: bytes that an earlier, unfinished run of the same clip left there and this one goes on from.
        coding: of the result.
        part: of the clip, None for all of it.
        rate: frames per second of a folder of images.
        beside: how many workers there are for pixels of a frame, and frames.

    Raises:
        OutputError: there is less room than needed.
    """
    try:
        head = probe(source).within(part, rate)
    except InputError as error:
        log.info("the room on the disk was not checked: %s", error)  # decoding will tell what is wrong, if anything is
        return 1
    workers = beside(head.pixels, head.frames)
    room = needed_room(head, destination, config, coding, workers)
    refuse_without_room(room.total - held, destination)
    return workers


def refuse_without_room(needed: int, destination: Path) -> None:
    """`OutputError` unless so many bytes are free where the result goes."""
    free = free_room(destination)
    if needed > free:
        folder = destination.absolute().parent
        raise OutputError(
            f"The run needs about {in_bytes(needed)} in {folder}, {in_bytes(free)} are free; make room, or choose "
            "another disk with --output."
        )
