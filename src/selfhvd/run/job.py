"""The job of `selfhvd deblur`, from refusals to report, and that of `selfhvd inspect`."""

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

from selfhvd.errors import UsageError
from selfhvd.extensions.scenes import SceneConfig, find_scenes, joined
from selfhvd.extensions.selection import WHICH, Selection, SharpConfig, Which
from selfhvd.report.facts import RunFacts
from selfhvd.report.page import write_report
from selfhvd.report.record import write_run
from selfhvd.run.config import DeblurConfig, Preset, preset_config
from selfhvd.run.deblurrer import Deblurrer
from selfhvd.run.disk_space import check_room
from selfhvd.run.fingerprint import fingerprint
from selfhvd.run.loading import load_ahead
from selfhvd.run.manifest import facts_of, stamp
from selfhvd.run.options import RunOptions
from selfhvd.run.output import OnFrame, Watch, deliver
from selfhvd.run.preview import check_preview, hardest_stretch
from selfhvd.run.strength import check_strength
from selfhvd.run.work_folder import WorkFolder, open_work_folder
from selfhvd.run.workers import Crew, check_workers, side_by_side, workers_for
from selfhvd.system.progress import Progress, Stage, silent, stoppable
from selfhvd.system.versions import versions
from selfhvd.video import CodecName, Footage, check_destination, check_source, default_destination, ingest
from selfhvd.video.destination import check_length, is_folder, reports_of
from selfhvd.video.part import Part, Time, part_of
from selfhvd.video.probe import check_part
from selfhvd.video.read.images import rate_of


def deblur(
    source: str | Path,
    destination: str | Path | None = None,
    *,
    preset: Preset = "fast",
    config: DeblurConfig | None = None,
    strength: float = 1.0,
    quality: float | int | None = None,
    codec: CodecName = "auto",
    overwrite: bool = False,
    restart: bool = False,
    keep_work: bool = False,
    restore: Which | None = None,
    sharp_frames: Sequence[int] = (),
    report: bool = True,
    strip_location: bool = False,
    fps: str | int | float | Fraction | None = None,
    workers: int | None = 1,
    start: Time | None = None,
    end: Time | None = None,
    preview: float | None = None,
    on_progress: Progress = silent,
    on_frame: OnFrame | None = None,
    stop: Callable[[], bool] = lambda: False,
    crew: Crew | None = None,
) -> RunFacts:
    """Give a blurry handheld video back sharp. A run that was cut off, however it was, goes on when called again.

    Args:
        source: any file FFmpeg reads, or a folder of images; never touched.
        destination: a video file, or a folder for PNG frames; `<source>_deblurred.<same>` beside the source if None,
            of a part `<source>_START-END_deblurred.<same>`.
        preset: `fast`, `balanced` or `best`; ignored where `config` is given.
        config: everything that decides the restored frames.
        strength: how much of the restoration is blended in, 0 (the clip as it is) to 1. Nothing that is kept hangs on
            it: an unfinished run goes on with another one.
        quality: of the coding, 0 (worst) to 100, one scale for all codecs; by itself it is 90, or what keeps the result
            about as large as the source. Nothing that is kept hangs on it, nor on `codec`.
        codec: of the result: the source's own where the container carries it (`auto`), or one that is named.
        overwrite: replace an existing destination.
        restart: begin anew where an unfinished run left something, or one with `keep_work`.
        keep_work: leave the work folder (`.<destination>.selfhvd`: every frame, losslessly, as it came and as it was
            restored) beside the result, so that a run with another strength only blends and encodes. A later run
            without it clears the folder away.
        restore: which frames: `auto` (the blurred ones and those among them), `blurry` (only those) or `all`; None = as
            `config` or the preset says.
        sharp_frames: numbers of the frames that are sharp, from 0, where you know better than what is measured.
        report: write `<destination>.report.html` and `<destination>.run.json` beside the result.
        strip_location: leave out of the result what tells where the clip was taken.
        fps: frames per second of a folder of images, as 24 or "24000/1001"; 30 if None. A file has times of its own.
        workers: processes that restore frames side by side; None: as many as there are cores for, and memory. More than
            one start this program's main module anew, as `multiprocessing` does: guard it by `__name__ == "__main__"`.
        start: restore only the part from here on: seconds, or "H:MM:SS", of the clip's own time, in which its first
            frame is at 0. Sound, subtitles and chapters are cut to the part. Frames are numbered from its first.
        end: and up to here, exclusive.
        preview: restore only the stretch of so many seconds with most blur among those with sharp frames, into
            `<source>_preview.<same>`. To find it the whole clip is decoded once.
        on_progress: told stage, done, total.
        on_frame: told each restored frame.
        stop: asked after each frame and step; True saves the state.
        crew: who restores frames side by side, elsewhere; None: `workers` of this machine.

    Returns:
        What was found and done.

    Raises:
        Stopped: `stop` said so.
        InputError, OutputError, UsageError, WeightsError, DeviceError: see `selfhvd.errors`.
    """
    options = RunOptions(
        strength=strength,
        quality=quality,
        codec=codec,
        overwrite=overwrite,
        restart=restart,
        keep_work=keep_work,
        report=report,
        strip_location=strip_location,
        fps=fps,
        workers=workers,
        start=start,
        end=end,
        preview=preview,
    )
    config = _with_wishes(config or preset_config(preset), restore, sharp_frames)
    request = _checked(Path(source), destination, config, options)
    on_progress = stoppable(on_progress, stop)
    if preview is not None:
        stretch = hardest_stretch(request.source, preview, request.rate, config.sharp, config.scenes, on_progress)
        request = replace(request, part=stretch.part)
    return _run(request, on_progress, on_frame, stop, crew)


@dataclass(frozen=True)
class _Request:
    """What is to be done, with nothing left that could have been refused before the work."""

    source: Path
    destination: Path
    config: DeblurConfig
    options: RunOptions
    rate: Fraction | None
    """Frames per second of a folder of images; None for a file."""
    part: Part | None
    """None for the whole clip."""


def _checked(source: Path, destination: str | Path | None, config: DeblurConfig, options: RunOptions) -> _Request:
    """All refusals that need no work; they raise as `deblur` does."""
    part = options.part
    destination = Path(destination) if destination is not None else default_destination(source, options.ending)
    check_strength(options.strength)
    check_workers(options.workers)
    check_preview(options.preview, part)
    check_source(source)
    rate = rate_of(source, options.fps)
    check_destination(source, destination, overwrite=options.overwrite or WorkFolder(destination).placed())
    if options.report:
        check_length(*reports_of(destination))
    options.coding.check(destination)
    check_part(source, part, rate)
    return _Request(source, destination, config, options, rate, part)


def _run(
    request: _Request,
    on_progress: Progress,
    on_frame: OnFrame | None,
    stop: Callable[[], bool],
    crew: Crew | None = None,
) -> RunFacts:
    """The job: read, select, adapt, restore, write, report."""
    config, options, clock = request.config, request.options, _Clock()
    with open_work_folder(request.destination, keep=options.keep_work) as work:
        deblurrer = Deblurrer(config, work.path)
        manifest = facts_of(request.source, deblurrer, request.rate, request.part)
        work.begin(manifest, restart=options.restart)
        part, rate = request.part, request.rate
        needs, device = deblurrer.network.needs, deblurrer.device

        def beside(pixels: int, frames: int) -> int:
            return workers_for(pixels, frames, needs, device, options.workers) if crew is None else crew.count

        held = work.held()
        likely = check_room(request.source, request.destination, config, held, options.coding, part, rate, beside)
        if crew is None and likely > 1:
            load_ahead()
        clip = work.footage(request.source, on_progress, rate, part)
        clock.lap("read")
        with (
            side_by_side(beside(clip.width * clip.height, len(clip))) if crew is None else nullcontext(crew) as workers
        ):
            # Scenes, sharp frames (Eq. 1, 2), stages (Eq. 3 to 14).
            deblurrer.fit(clip, clip.keyframes, on_progress, stop)
            clock.lap("select and adapt")
            watch = Watch(clip, deblurrer, on_progress, on_frame)
            warnings = deliver(clip, deblurrer, work, watch, options, stamp(manifest, options.strength), workers)
            clock.lap("restore and write")
        facts = _facts(request, clip, deblurrer, watch.sharpness, (*warnings, *_paced(request)), clock)
        if options.report:
            page, record = reports_of(request.destination)
            write_report(page, facts, watch.crops.comparisons())
            write_run(record, facts)
    return facts


def _paced(request: _Request) -> tuple[str, ...]:
    """What is said of the rate that images are shown at, where nobody chose it."""
    if request.rate is None or request.options.fps is not None or is_folder(request.destination):
        return ()
    return (f"the images are shown at {request.rate} frames a second; another rate is chosen with --fps",)


def inspect(
    source: str | Path,
    *,
    sharp: SharpConfig = SharpConfig(),
    scenes: SceneConfig = SceneConfig(),
    start: Time | None = None,
    end: Time | None = None,
    on_progress: Progress = silent,
) -> tuple[Footage, Selection]:
    """Find the scenes and the sharp frames of a video, without changing or writing anything.

    `start` and `end` as for `deblur`.
    The returned footage's frames are gone; its facts (size, times, warnings) remain.
    """
    part = part_of(start, end)
    with tempfile.TemporaryDirectory(prefix="selfhvd-") as work:
        footage = ingest(
            Path(source), Path(work), on_frame=lambda n, of: on_progress(Stage.READ, n, of or 0), part=part
        )
        return footage, joined(find_scenes(footage, footage.keyframes, scenes, sharp, on_progress))


def _with_wishes(config: DeblurConfig, restore: Which | None, sharp_frames: Sequence[int]) -> DeblurConfig:
    """Which frames are restored and which are sharp, where a person says so."""
    if restore is not None:
        if restore not in WHICH:
            raise UsageError(f"restore is one of {', '.join(WHICH)}, not {restore}.")
        config = replace(config, restore=replace(config.restore, which=restore))
    if sharp_frames:
        config = replace(config, sharp=replace(config.sharp, named=tuple(sorted(set(sharp_frames)))))
    return config


class _Clock:
    """Seconds by stage, in order."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, stage: str) -> None:
        now = time.monotonic()
        self.laps[stage] = round(now - self._last, 2)
        self._last = now


def _origin(config: DeblurConfig) -> str:
    """Where the network's first weights came from."""
    if config.from_scratch:
        return "none"
    return str(config.weights or ("base" if config.backbone == "lite" else "fetched"))


def _facts(
    request: _Request,
    footage: Footage,
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
        output=str(request.destination),
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
        strength=float(request.options.strength),
        left=deblurrer.count_left(),
        fps="" if request.rate is None else str(request.rate),
        part="" if request.part is None else str(request.part),
        preview=request.options.preview,
        written_codec=request.options.codec,
        written_quality=request.options.quality,
    )
