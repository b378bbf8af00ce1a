"""`selfhvd deblur`: one clip, or many."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from selfhvd.cli.frame_numbers import frame_numbers
from selfhvd.cli.words import Flag, Quiet, ShownProgress, Verbose, out, say
from selfhvd.errors import OutputError, PartialError, UsageError

if TYPE_CHECKING:
    from selfhvd.cli.progress import Style
    from selfhvd.run.batch import Clip, Failure
    from selfhvd.run.config import DeblurConfig
    from selfhvd.video import Coding

_SEEDS = 2**32
Preset = Literal["fast", "balanced", "best"]
Which = Literal["auto", "blurry", "all"]
Codec = Literal["auto", "h264", "hevc", "av1", "vp9", "prores", "ffv1"]
Flow = Literal["auto", "dis", "sea-raft-s", "sea-raft-m", "raft", "flowformer++"]


def deblur(
    *source: Path,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    preset: Preset = "fast",
    strength: float = 1.0,
    quality: float | None = None,
    codec: Codec = "auto",
    restore: Which | None = None,
    keep_sharp: Flag = False,
    sharp_frames: str | None = None,
    overwrite: Flag = False,
    restart: Flag = False,
    keep_work: Flag = False,
    skip_existing: Flag = False,
    fail_fast: Flag = False,
    dry_run: Flag = False,
    backbone: str | None = None,
    weights: Path | None = None,
    flow: Flow = "auto",
    flow_weights: Path | None = None,
    flow_resolution: float = 1.0,
    from_scratch: Flag = False,
    max_minutes: float | None = None,
    segment: int = 20,
    scenes: bool = True,
    seed: int = 0,
    device: str = "auto",
    report: bool = True,
    strip_location: Flag = False,
    fps: str | None = None,
    progress: ShownProgress = "auto",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Deblur videos (or folders of images). A bad clip does not stop the others; the exit code is then 7.

    Args:
        source: clips, or folders of videos, which are never touched; a folder of images is one clip.
        output: a video file, or a folder for PNG frames; of several clips the folder for the results. Default:
            CLIP_deblurred beside each clip.
        preset: how many sharp frames help each frame, and how long is learned; from the base weights nothing is.
        strength: how much of the restoration is blended in: 0 is the clip as it came, 1 all of it.
        quality: of the coding, 0 to 100 (90 shows no loss), on one scale for all codecs. Default: 90, or what keeps the
            result about as large as its source.
        codec: of the result; auto keeps the source's where the container can hold it.
        restore: auto restores what is blurred and what lies among it, blurry only what is blurred, all everything;
            default: auto for the base weights, blurry for others.
        keep_sharp: the same as --restore blurry.
        sharp_frames: numbers of the frames that are sharp, as `selfhvd inspect` counts them, where you know better:
            3,17,40-44, or a file that holds such numbers.
        overwrite: replace an existing output.
        restart: begin anew where an earlier run was cut off, instead of going on from it.
        keep_work: leave every frame, as it came and restored, in a hidden folder beside the output (many times the
            clip's size), so that a run with another --strength only blends and encodes; the first run without this
            removes it.
        skip_existing: pass over clips whose result is there, of the same clip by the same settings.
        fail_fast: stop at the first clip that fails.
        dry_run: only say what would be done, and about what it takes: disk, memory, time.
        backbone: lite, ifirnn, estrnn, basicvsrpp or rvrt; default: the one that the weights are of, else lite.
        weights: weights to start from, instead of the base weights that come with selfhvd.
        flow: the optical flow that aligns frames; auto takes sea-raft-m where it is at hand and a GPU too, else dis.
        flow_weights: weights of the flow network, instead of what was fetched.
        flow_resolution: find flow on frames reduced to this part of their size (0.25 as the authors' later code).
        from_scratch: start from an untrained network, as in the paper.
        max_minutes: end the learning after so many minutes with what it has; fast learns nothing from base weights.
        segment: at least one sharp frame is chosen in each segment of so many frames.
        scenes: cut the clip where its scene changes; nothing is aligned or learned across a cut.
        seed: same seed, same frames (on a CPU).
        device: auto, cpu, cuda, cuda:N or mps.
        report: write OUTPUT.report.html and OUTPUT.run.json.
        strip_location: leave out of the result what tells where the clip was taken.
        fps: frames per second of a folder of images, as 24 or 24000/1001; default: 30.
        progress: auto, lines, none, or json: one object a line on stderr.
        quiet: say nothing but errors.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.extensions.scenes import SceneConfig
    from selfhvd.run.batch import Clip, gather, is_batch, lay_out
    from selfhvd.run.strength import check_strength
    from selfhvd.video import Coding, default_destination
    from selfhvd.video.read.images import rate_of

    if not source:
        raise UsageError("Give a clip to deblur: selfhvd deblur CLIP.")
    if from_scratch and weights is not None:
        raise UsageError("--from-scratch ignores weights, so it does not go together with --weights.")
    check_strength(strength)
    if not 0 < flow_resolution <= 1:
        raise UsageError("--flow-resolution must be above 0 and at most 1.")
    if segment < 1:
        raise UsageError(f"--segment {segment} must be at least 1.")
    if max_minutes is not None and not max_minutes >= 0:
        raise UsageError(f"--max-minutes {max_minutes:g} must be at least 0.")
    if not 0 <= seed < _SEEDS:
        raise UsageError(f"--seed {seed} must be at least 0 and below {_SEEDS}.")
    config = replace(
        _started(preset, backbone, weights, from_scratch),
        flow=flow,
        flow_weights=flow_weights,
        max_minutes=max_minutes,
        seed=seed,
        device=device,
        scenes=SceneConfig(find=scenes),
    )
    config = _with_segment(replace(config, align=replace(config.align, resolution=flow_resolution)), segment)
    if keep_sharp and restore not in (None, "blurry"):
        raise UsageError(f"--keep-sharp means --restore blurry, so it does not go together with --restore {restore}.")
    if which := "blurry" if keep_sharp else restore:
        config = replace(config, restore=replace(config.restore, which=which))
    if sharp_frames is not None:
        config = replace(config, sharp=replace(config.sharp, named=frame_numbers(sharp_frames)))
    coding = Coding(codec, quality)
    run = _Run(
        config=config,
        strength=strength,
        coding=coding,
        overwrite=overwrite,
        restart=restart,
        keep_work=keep_work,
        skip=skip_existing,
        report=report,
        strip_location=strip_location,
        fps=fps,
        style=progress,
        quiet=quiet,
    )
    found = gather(source)
    batch = is_batch(source, found)
    clips = lay_out(found, output) if batch else [Clip(source[0], output or default_destination(source[0]))]
    for clip in clips:
        coding.check(clip.destination)
        if fps is not None:
            rate_of(clip.source, fps)
    if dry_run:
        _foretell(clips, run, fail_fast)
    elif batch:
        _all(clips, run, output, fail_fast)
    else:
        run.one(clips[0])


def _started(preset: Preset, backbone: str | None, weights: Path | None, from_scratch: bool) -> "DeblurConfig":
    """The preset, for the network that is named or that the weights are of."""
    from selfhvd.run.config import preset_config
    from selfhvd.weights import name_of

    named = backbone or (name_of(weights) if weights else "lite")
    return preset_config(preset, backbone=named, from_scratch=from_scratch, weights=weights)


def _with_segment(config: "DeblurConfig", segment: int) -> "DeblurConfig":
    batch = replace(config.adapt.batch, segment=segment)
    return replace(config, sharp=replace(config.sharp, segment=segment), adapt=replace(config.adapt, batch=batch))


@dataclass(frozen=True)
class _Run:
    """How each clip is restored."""

    config: "DeblurConfig"
    strength: float
    coding: "Coding"
    overwrite: bool
    restart: bool
    keep_work: bool
    skip: bool
    report: bool
    strip_location: bool
    fps: str | None
    style: "Style"
    quiet: bool

    def say(self, text: str, level: str = "info") -> None:
        """Say something beside the result."""
        say(text, self.quiet, self.style, level)

    def one(self, clip: "Clip", facts: dict[str, object] | None = None) -> None:
        """Restore a clip, say how it went, print where the result is; `facts` go into each line of progress."""
        from selfhvd.cli.progress import shown_progress
        from selfhvd.cli.signals import stopping
        from selfhvd.run.job import deblur

        if self.is_finished(clip):
            self.say(f"{clip.destination} is there already.")
            out(str(clip.destination))
            return
        with stopping() as stop, shown_progress(self.quiet, style=self.style, facts=facts) as progress:
            found = deblur(
                clip.source,
                clip.destination,
                config=self.config,
                strength=self.strength,
                quality=self.coding.quality,
                codec=self.coding.codec,
                overwrite=self.overwrite,
                restart=self.restart,
                keep_work=self.keep_work,
                report=self.report,
                strip_location=self.strip_location,
                fps=self.fps,
                on_progress=progress,
                stop=stop,
            )
        for warning in found.warnings:
            self.say(warning, level="warning")
        if found.left == found.frames:
            self.say("There is nothing to do: no frame is blurred by more than about a pixel, the clip stays as it is.")
        else:
            self.say(in_words(found.selection.verdict, found.selection.ratio))
        self.tell_kept(clip)
        out(found.output)

    def tell_kept(self, clip: "Clip") -> None:
        """Say what is left on the disk, if it is."""
        from selfhvd.run.disk_space import in_bytes
        from selfhvd.run.work_folder import WorkFolder

        if self.keep_work:
            work = WorkFolder(clip.destination)
            self.say(f"{in_bytes(work.held())} are kept in {work.path} until a run without --keep-work.")

    def is_finished(self, clip: "Clip") -> bool:
        """Whether this clip is to be passed over."""
        from selfhvd.run.up_to_date import is_finished
        from selfhvd.video import check_source
        from selfhvd.video.read.images import rate_of

        if not self.skip:
            return False
        check_source(clip.source)
        try:
            rate = rate_of(clip.source, self.fps)
            return is_finished(clip.source, clip.destination, self.config, self.strength, rate, self.coding)
        except OutputError:
            if self.overwrite:
                return False
            raise


def _all(clips: "Sequence[Clip]", run: _Run, output: Path | None, fail_fast: bool) -> None:
    """Clip after clip; those that failed are listed at the end."""
    from selfhvd.run.batch import make_folder, run_batch
    from selfhvd.run.deblurrer import Deblurrer

    Deblurrer(run.config)  # what no clip could do without is missed before the first
    if output is not None:
        make_folder(output)
    number = 0

    def announce(n: int, clip: "Clip") -> None:
        nonlocal number
        number = n
        run.say(f"[{n}/{len(clips)}] {clip.source}")

    outcome = run_batch(
        clips,
        lambda clip: run.one(clip, {"clip": str(clip.source), "number": number, "clips": len(clips)}),
        fail_fast=fail_fast,
        on_clip=announce,
        on_failure=lambda failure: run.say(f"{failure.source} failed: {failure.sentence}", level="error"),
    )
    _tell_failures(outcome.failures, len(clips), run, "deblurred")


def _foretell(clips: "Sequence[Clip]", run: _Run, fail_fast: bool) -> None:
    """Print the plan of each clip and what it will take; nothing is written."""
    from selfhvd.forecast.forecast import Forecast, forecast
    from selfhvd.forecast.pace import measure_pace
    from selfhvd.forecast.words import as_text, in_all
    from selfhvd.run.batch import run_batch
    from selfhvd.run.disk_space import refuse_without_room
    from selfhvd.run.work_folder import WorkFolder
    from selfhvd.video import check_destination
    from selfhvd.video.destination import check_length, reports_of

    pace = measure_pace(run.config)
    seen: list[Forecast] = []

    def look(clip: "Clip") -> None:
        if run.is_finished(clip):
            out(f"{clip.source}: {clip.destination} is there already.\n")
            return
        if clip.destination.absolute().parent.exists() or len(clips) == 1:
            check_destination(clip.source, clip.destination, overwrite=run.overwrite or run.skip)
        if run.report:
            check_length(*reports_of(clip.destination))
        found = forecast(
            clip.source,
            clip.destination,
            run.config,
            pace,
            strength=run.strength,
            coding=run.coding,
            keep_work=run.keep_work,
            strip_location=run.strip_location,
        )
        out(as_text(found) + "\n")
        kept = sum(other.stays for other in seen)
        seen.append(found)
        held = WorkFolder(clip.destination).held()  # by a run that was cut off
        refuse_without_room(kept + found.room.total - held, clip.destination)

    if len(clips) == 1:
        look(clips[0])
    else:
        outcome = run_batch(
            clips,
            look,
            fail_fast=fail_fast,
            on_failure=lambda failure: run.say(f"{failure.source}: {failure.sentence}", level="error"),
        )
        out(in_all(seen))
        _tell_failures(outcome.failures, len(clips), run, "deblurred so")


def _tell_failures(failures: "Sequence[Failure]", count: int, run: _Run, what: str) -> None:
    """The list at the end, and exit code 7; one that would have been this sentence anyway is not repeated."""
    if not failures:
        return
    for failure in failures:
        say(f"failed: {failure.source}: {failure.sentence}", style=run.style, level="error")
    raise PartialError(f"{len(failures)} of {count} clips could not be {what}.")


def in_words(verdict: str, ratio: float) -> str:
    """What a clip was found to be."""
    if verdict == "all-sharp":
        return "No frame is blurred by more than about a pixel."
    if verdict == "none-sharp":
        return "No frame is sharp: detail comes from the general model, not from this clip."
    return f"{ratio:.0%} of the frames are sharp."
