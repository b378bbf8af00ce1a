"""`selfhvd deblur`: one clip, or many."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from selfhvd.cli.frame_numbers import frame_numbers
from selfhvd.cli.words import Flag, Quiet, ShownProgress, Verbose
from selfhvd.errors import UsageError

if TYPE_CHECKING:
    from selfhvd.run.config import DeblurConfig

_SEEDS = 2**32
_LARGE = 300_000
"""Bytes of a clip that is worth several processes."""
Preset = Literal["fast", "balanced", "best"]
Which = Literal["auto", "blurry", "all"]
Codec = Literal["auto", "h264", "hevc", "av1", "vp9", "prores", "ffv1"]
Flow = Literal["auto", "dis", "sea-raft-s", "sea-raft-m", "raft", "flowformer++"]


def deblur(
    *source: Path,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    start: str | None = None,
    end: str | None = None,
    preview: float | None = None,
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
    shard: str | None = None,
    dry_run: Flag = False,
    backbone: str | None = None,
    weights: Path | None = None,
    flow: Flow = "auto",
    flow_weights: Path | None = None,
    flow_resolution: float = 1.0,
    adapt: Flag = False,
    from_scratch: Flag = False,
    max_minutes: float | None = None,
    segment: int = 20,
    scenes: bool = True,
    seed: int = 0,
    device: str = "auto",
    report: bool = True,
    strip_location: Flag = False,
    fps: str | None = None,
    workers: int | None = None,
    progress: ShownProgress = "auto",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Deblur videos (or folders of images). A bad clip does not stop the others; the exit code is then 7.

    Args:
        source: clips, or folders of videos, which are never touched; a folder of images is one clip.
        output: a video file, or a folder for PNG frames; of several clips the folder for the results. Default:
            CLIP_deblurred beside each clip.
        start: restore only the part from this time of the clip on, in seconds or as H:MM:SS, with the sound of it.
        end: restore only what comes before this time.
        preview: restore only the hardest stretch of so many seconds, into CLIP_preview; to find it the whole clip is
            looked at once.
        preset: how many sharp frames help each frame, and how long --adapt and --from-scratch learn.
        strength: how much of the restoration is blended in: 0 is the clip as it came, 1 all of it.
        quality: of the coding, 0 to 100 (90 shows no loss), on one scale for all codecs. Default: 90, or what keeps the
            result about as large as its source.
        codec: of the result; auto keeps the source's where the container can hold it.
        restore: auto restores what is blurred and what lies among it, blurry only what is blurred, all everything;
            default: auto for the base weights as they come, blurry for others.
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
        shard: I/N: only every N-th of several clips from the I-th on, counted from 0 by the names of their results; for
            job arrays.
        dry_run: only say what would be done, and about what it takes: disk, memory, time.
        backbone: lite, ifirnn, estrnn, basicvsrpp or rvrt; default: the one that the weights are of, else lite.
        weights: weights to restore with, instead of the base weights that come with selfhvd.
        flow: the optical flow that aligns frames; auto takes sea-raft-m where it is at hand and a GPU too, else dis.
        flow_weights: weights of the flow network, instead of what was fetched.
        flow_resolution: find flow on frames reduced to this part of their size (0.25 as the authors' later code).
        adapt: before restoring, learn on the clip itself, from --weights or the base weights; without it they are used
            as they are. On made clips learning from the base weights lost.
        from_scratch: learn on this clip alone, from an untrained network: the paper's stages, but no row of the paper,
            which trains one network on a training set and adapts to a clip (Table 3) only from trained weights.
        max_minutes: end the learning of --adapt and --from-scratch after so many minutes with what it has; 0: learn
            nothing.
        segment: at least one sharp frame is chosen in each segment of so many frames.
        scenes: cut the clip where its scene changes; nothing is aligned or learned across a cut.
        seed: same seed, same frames (on a CPU).
        device: auto, cpu, cuda, cuda:N or mps.
        report: write OUTPUT.report.html and OUTPUT.run.json.
        strip_location: leave out of the result what tells where the clip was taken.
        fps: frames per second of a folder of images, as 24 or 24000/1001; default: 30.
        workers: processes that restore frames side by side; default: as many as there are cores for, and memory.
        progress: auto, lines, none, or json: one object a line on stderr.
        quiet: say nothing but errors.
        verbose: say more, and show tracebacks.
    """
    if not dry_run and workers != 1 and device in ("auto", "cpu") and _is_shared(source):
        from selfhvd.run.loading import load_ahead

        load_ahead()  # while this process loads the same
    from selfhvd.cli.clip_runs import ClipRuns
    from selfhvd.extensions.scenes import SceneConfig
    from selfhvd.fleet.shard import parse_shard, shard_of
    from selfhvd.run.batch import Clip, gather, is_batch, lay_out
    from selfhvd.run.options import RunOptions
    from selfhvd.run.preview import check_preview
    from selfhvd.run.strength import check_strength
    from selfhvd.run.workers import check_workers
    from selfhvd.video import default_destination
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
    check_workers(workers)
    if not 0 <= seed < _SEEDS:
        raise UsageError(f"--seed {seed} must be at least 0 and below {_SEEDS}.")
    config = replace(
        started(preset, backbone, weights, adapt, from_scratch),
        flow=flow,
        flow_weights=flow_weights,
        max_minutes=max_minutes,
        seed=seed,
        device=device,
        scenes=SceneConfig(find=scenes),
    )
    align, sharp = replace(config.align, resolution=flow_resolution), replace(config.sharp, segment=segment)
    config = replace(config, align=align, sharp=sharp)
    if keep_sharp and restore not in (None, "blurry"):
        raise UsageError(f"--keep-sharp means --restore blurry, so it does not go together with --restore {restore}.")
    if which := "blurry" if keep_sharp else restore:
        config = replace(config, restore=replace(config.restore, which=which))
    if sharp_frames is not None:
        config = replace(config, sharp=replace(config.sharp, named=frame_numbers(sharp_frames)))
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
    check_preview(preview, options.part)
    cut = None if shard is None else parse_shard(shard)
    run = ClipRuns(config, options, skip=skip_existing, style=progress, quiet=quiet)
    found = gather(source)
    batch = is_batch(source, found)
    clips = (
        lay_out(found, output, options.ending)
        if batch
        else [Clip(source[0], output or default_destination(source[0], options.ending))]
    )
    if cut is not None:
        clips = shard_of(clips, *cut)
        if not batch:
            raise UsageError("--shard is for several clips, or a folder of them.")
    for clip in clips:
        options.coding.check(clip.destination)
        if fps is not None:
            rate_of(clip.source, fps)
    if not clips:
        run.say(f"Shard {shard} holds no clip.")
    elif dry_run:
        run.foretell(clips, fail_fast)
    elif batch:
        run.all(clips, output, fail_fast)
    else:
        run.one(clips[0])


def _is_shared(source: Sequence[Path]) -> bool:
    """Whether these are likely to be restored by several processes, as far as can be told with nothing loaded."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        return cores > 1 and any(path.is_dir() or path.stat().st_size > _LARGE for path in source)
    except OSError:
        return False


def started(
    preset: Preset, backbone: str | None, weights: Path | None, adapt: bool, from_scratch: bool
) -> "DeblurConfig":
    """The preset, for the network that is named or that the weights are of."""
    from selfhvd.run.config import preset_config
    from selfhvd.weights import name_of

    named = backbone or (name_of(weights) if weights else "lite")
    return preset_config(preset, backbone=named, from_scratch=from_scratch, weights=weights, adapt_first=adapt)
