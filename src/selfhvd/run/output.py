"""Output: restored frames into the result, or the clip itself where it is sharp already."""

from collections.abc import Callable, Iterator
from pathlib import Path

from selfhvd.errors import OutputError
from selfhvd.method.sharp_frames import laplacian_variance
from selfhvd.report.crops import BlurriestFrames
from selfhvd.run.deblurrer import Deblurrer
from selfhvd.run.options import RunOptions
from selfhvd.run.restored_frames import restored_frames
from selfhvd.run.strength import at_strength
from selfhvd.run.work_folder import WorkFolder
from selfhvd.run.workers import Crew
from selfhvd.system.atomic import replacing
from selfhvd.system.progress import Progress, Stage
from selfhvd.video import Footage, Frame, open_writer
from selfhvd.video.frame import as_tensor
from selfhvd.video.read.content import own_suffix
from selfhvd.video.read.motion_photo import copy_video
from selfhvd.video.write.encoder_choice import Coding

OnFrame = Callable[[int, Frame], None]
"""Told the number and the pixels of each restored frame, in order."""


class Watch:
    """Sees every frame of the result once, as it passes: its sharpness, crops for the report, progress."""

    def __init__(self, footage: Footage, deblurrer: Deblurrer, on_progress: Progress, on_frame: OnFrame | None) -> None:
        assert deblurrer.selection is not None
        self.crops = BlurriestFrames(footage, deblurrer.selection)
        self.sharpness: list[float] = []
        self._count, self._on_progress, self._on_frame = len(footage), on_progress, on_frame

    def see(self, index: int, frame: Frame) -> None:
        """Look at frame `index`."""
        self.sharpness.append(float(laplacian_variance(as_tensor(frame)[None])))
        self.crops.see(index, frame)
        self._on_progress(Stage.RESTORE, index + 1, self._count)
        if self._on_frame is not None:
            self._on_frame(index, frame)
        if index + 1 == self._count:
            self._on_progress(Stage.VERIFY, 0, 1)


def deliver(
    footage: Footage,
    deblurrer: Deblurrer,
    work: WorkFolder,
    watch: Watch,
    options: RunOptions,
    comment: str,
    workers: Crew | None = None,
) -> tuple[str, ...]:
    """Write the result of `work`, whole and verified or not at all; warnings for the person.

    `comment` goes into the container. A clip that is sharp already is copied as it is, unless it is a part, its place
    is to be left out or a coding is asked for.

    Raises:
        OutputError: it cannot be written.
    """
    destination = work.destination
    as_it_is = not options.strip_location and options.coding == Coding() and _can_copy(footage, destination)
    if deblurrer.is_left() and as_it_is:
        for index, frame in enumerate(_untouched(footage)):
            watch.see(index, frame)
        _copy_through(footage.source, work)
        return footage.faults
    with open_writer(
        footage,
        destination,
        overwrite=options.overwrite or work.placed(),
        on_ready=work.place,
        coding=options.coding,
        comment=comment,
        strip_location=options.strip_location,
    ) as writer:
        restored = restored_frames(deblurrer, footage, work.path, work.restored, workers)
        for index, frame in enumerate(at_strength(options.strength, footage, restored)):
            writer.write(frame)
            watch.see(index, frame)
    return (*footage.warnings, *writer.warnings)


def _untouched(footage: Footage) -> Iterator[Frame]:
    return (footage.frame(index) for index in range(len(footage)))


def _can_copy(footage: Footage, destination: Path) -> bool:
    whole = footage.kind == "container" and not footage.is_part
    return whole and own_suffix(footage.source).lower() == destination.suffix.lower()


def _copy_through(source: Path, work: WorkFolder) -> None:
    """The clip is sharp already: hand it over as it is."""
    try:
        with replacing(work.destination) as part:
            copy_video(source, part)
            work.place(part)
    except OSError as error:
        raise OutputError(f"{work.destination} could not be written ({error.strerror}).") from error
