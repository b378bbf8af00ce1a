"""The jobs a person asks for, each a table of contents of its steps."""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from selfhvd.adapt import Progress, silent
from selfhvd.config import DeblurConfig, Preset, preset_config
from selfhvd.deblurrer import Deblurrer
from selfhvd.errors import OutputError
from selfhvd.fingerprint import fingerprint
from selfhvd.forecast.disk import check_room
from selfhvd.method.sharp import Selection, SharpConfig, find_sharp
from selfhvd.ops.sharpness import laplacian_variance
from selfhvd.report.crops import BlurriestFrames
from selfhvd.report.facts import RunFacts
from selfhvd.report.page import write_report
from selfhvd.report.record import write_run
from selfhvd.versions import versions
from selfhvd.video import (
    Footage,
    Frame,
    check_destination,
    check_source,
    default_destination,
    ingest,
    open_writer,
)
from selfhvd.video.destination import part_path

log = logging.getLogger(__name__)

OnFrame = Callable[[int, Frame], None]
"""Told the number and the pixels of each restored frame, in order."""


def deblur(
    source: str | Path,
    destination: str | Path | None = None,
    *,
    preset: Preset = "fast",
    config: DeblurConfig | None = None,
    overwrite: bool = False,
    report: bool = True,
    on_progress: Progress = silent,
    on_frame: OnFrame | None = None,
) -> RunFacts:
    """Give a blurry handheld video back sharp.

    Args:
        source: any file FFmpeg reads, or a folder of images; never touched.
        destination: a video file, or a folder for PNG frames; `<source>_deblurred.<same>` beside the source if None.
        preset: `fast`, `balanced` or `best`; ignored where `config` is given.
        config: everything that decides the frames.
        overwrite: replace an existing destination.
        report: write `<destination>.report.html` and `<destination>.run.json` beside the result.
        on_progress: told stage, done, total.
        on_frame: told each restored frame.

    Returns:
        What was found and done.

    Raises:
        InputError, OutputError, UsageError, WeightsError, DeviceError: see `selfhvd.errors`.
    """
    source = Path(source)
    destination = Path(destination) if destination is not None else default_destination(source)
    config = config or preset_config(preset)
    check_source(source)
    check_destination(source, destination, overwrite=overwrite)
    check_room(source, destination, config)
    clock = _Clock()
    with _work_folder(destination) as work:
        footage = ingest(source, work / "footage", on_frame=lambda n, of: on_progress("read", n, of or 0))
        clock.lap("read")
        deblurrer = Deblurrer(config, work).fit(footage, footage.keyframes, on_progress)
        clock.lap("select and adapt")
        watch = _Watch(footage, deblurrer, on_progress, on_frame)
        warnings = _write(footage, destination, deblurrer, watch, overwrite=overwrite)
        clock.lap("restore and write")
        facts = _facts(footage, destination, deblurrer, watch.sharpness, warnings, clock)
        if report:
            write_report(_beside(destination, ".report.html"), facts, watch.crops.comparisons())
            write_run(_beside(destination, ".run.json"), facts)
    return facts


def inspect(
    source: str | Path, *, sharp: SharpConfig = SharpConfig(), on_progress: Progress = silent
) -> tuple[Footage, Selection]:
    """Find the sharp frames of a video, without changing or writing anything.

    The returned footage's frames are gone; its facts (size, times, warnings) remain.
    """
    with tempfile.TemporaryDirectory(prefix="selfhvd-") as work:
        footage = ingest(Path(source), Path(work), on_frame=lambda n, of: on_progress("read", n, of or 0))
        return footage, find_sharp(footage, footage.keyframes, sharp, lambda n, of: on_progress("select", n, of))


class _Watch:
    """Sees every restored frame once, as it passes: its sharpness, crops for the report, progress."""

    def __init__(self, footage: Footage, deblurrer: Deblurrer, on_progress: Progress, on_frame: OnFrame | None) -> None:
        assert deblurrer.selection is not None
        self.crops = BlurriestFrames(footage, deblurrer.selection)
        self.sharpness: list[float] = []
        self._count, self._on_progress, self._on_frame = len(footage), on_progress, on_frame

    def see(self, index: int, frame: Frame, image: Float[Tensor, "3 height width"]) -> None:
        self.sharpness.append(float(laplacian_variance(image[None])))
        self.crops.see(index, frame)
        self._on_progress("restore", index + 1, self._count)
        if self._on_frame is not None:
            self._on_frame(index, frame)
        if index + 1 == self._count:
            self._on_progress("verify", 0, 1)


def _write(
    footage: Footage, destination: Path, deblurrer: Deblurrer, watch: _Watch, *, overwrite: bool
) -> tuple[str, ...]:
    """Restore and write, frame by frame; a clip that is sharp already is copied. Warnings for the person."""
    assert deblurrer.selection is not None
    if deblurrer.selection.verdict == "all-sharp" and _can_copy(footage, destination):
        for index in range(len(footage)):
            watch.see(index, footage.frame(index), footage.tensor(index))
        _copy_through(footage.source, destination)
        return footage.warnings
    with open_writer(footage, destination, overwrite=overwrite) as writer:
        for index, image in enumerate(deblurrer.restore()):
            frame = _as_stored(image, footage.depth)
            writer.write(frame)
            watch.see(index, frame, image)
    return (*footage.warnings, *writer.warnings)


class _Clock:
    """Seconds by stage, in order."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, stage: str) -> None:
        now = time.monotonic()
        self.laps[stage] = round(now - self._last, 2)
        self._last = now


@contextmanager
def _work_folder(destination: Path) -> Generator[Path]:
    """A hidden folder beside the destination, gone afterwards whatever happens."""
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{destination.name[:60]}.work-", dir=destination.absolute().parent))
    except OSError as error:
        raise OutputError(f"{destination.absolute().parent} cannot be written to ({error.strerror}).") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _as_stored(image: Float[Tensor, "3 height width"], depth: int) -> Frame:
    top = 255 if depth == 8 else 65535
    array = (top * image.clamp(0, 1)).round().permute(1, 2, 0).numpy()
    return array.astype(np.uint8 if depth == 8 else np.uint16)


def _can_copy(footage: Footage, destination: Path) -> bool:
    return footage.kind == "container" and footage.source.suffix.lower() == destination.suffix.lower()


def _copy_through(source: Path, destination: Path) -> None:
    """The clip is sharp already: hand it over as it is."""
    aside = part_path(destination)
    try:
        shutil.copyfile(source, aside)
        os.replace(aside, destination)
    except OSError as error:
        raise OutputError(f"{destination} could not be written ({error.strerror}).") from error
    finally:
        aside.unlink(missing_ok=True)


def _origin(config: DeblurConfig) -> str:
    """Where the network's first weights came from."""
    if config.from_scratch:
        return "none"
    return str(config.weights or ("base" if config.backbone == "lite" else "fetched"))


def _beside(destination: Path, ending: str) -> Path:
    return destination.with_name(destination.stem + ending)


def _facts(
    footage: Footage,
    destination: Path,
    deblurrer: Deblurrer,
    sharpness: list[float],
    warnings: tuple[str, ...],
    clock: _Clock,
) -> RunFacts:
    config, selection = deblurrer.config, deblurrer.selection
    assert selection is not None
    last = footage.seconds(len(footage) - 1) + footage.durations[-1] * footage.time_base
    return RunFacts(
        source=str(footage.source),
        output=str(destination),
        frames=len(footage),
        width=footage.width,
        height=footage.height,
        seconds=float(last - footage.seconds(0)),
        codec=footage.codec,
        depth=footage.depth,
        selection=selection,
        sharpness_after=tuple(sharpness),
        adaptation=deblurrer.adaptation,
        network=config.backbone,
        weights=_origin(config),
        flow=deblurrer.predictor.name,
        device=str(deblurrer.device),
        preset=config.preset,
        seed=config.seed,
        settings=asdict(config),
        timings=clock.laps,
        warnings=warnings,
        versions=versions(),
        fingerprint=fingerprint(footage.source),
    )
