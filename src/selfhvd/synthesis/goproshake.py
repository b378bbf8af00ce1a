"""GoProShake: handheld blur from high-rate frames, the faster the camera moves the longer the exposure (Eq. A-G)."""

import logging
import re
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from selfhvd.errors import InputError
from selfhvd.flow import Dis, FlowPredictor
from selfhvd.ops.light import GAMMA
from selfhvd.synthesis.clip_folder import ClipFolder, ClipInMaking, Coding
from selfhvd.synthesis.egomotion import estimate_egomotion
from selfhvd.synthesis.exposure import Exposure
from selfhvd.synthesis.exposure_length import exposure_counts, normalisation
from selfhvd.synthesis.in_between import in_between
from selfhvd.synthesis.light import to_codes
from selfhvd.synthesis.poses import Quaternion, read_poses
from selfhvd.synthesis.source_clips import SourceFrames, find_clips, open_frames
from selfhvd.system.progress import Progress, silent
from selfhvd.video.frame import as_bytes, as_tensor

log = logging.getLogger(__name__)

_SUBSTEPS = (7, 9, 11, 13)
"""N of the clips of GoPro."""
_GOPRO_NAME = re.compile(r"GOPR\d+_(\d\d)_\d\d")


@dataclass(frozen=True)
class GoProShake:
    """How blurry clips are made of high-rate ones."""

    sharp_share: float = 0.33
    """Wanted share of frames with n_i = 1, at least 0, below 1."""
    substeps: int | None = None
    """N, odd: high-rate frames that make one; None: as a GoPro clip's name says (GOPRxxxx_NN_zz), else drawn."""
    interpolate: int = 4
    """F: F - 1 frames are put between two before averaging; 1 = none."""
    crf: int | None = None
    """H.264 quality of the blurry frames, 0 to 51; None = not coded."""
    quaternion: Quaternion = "xyzw"
    """Order of quaternions in trajectory files."""
    seed: int = 0
    K: float | None = None
    """Of Eq. F, in the unit of d_t (Eq. C: radians and distances to the scene an interval), above 0; None: per clip, as
    `sharp_share` wants it."""


def make_goproshake(
    source: Path,
    destination: Path,
    settings: GoProShake = GoProShake(),
    trajectory: Path | None = None,
    on_progress: Progress = silent,
) -> tuple[str, ...]:
    """Make a blurry clip with its truth of every clip in `source`; see `ClipFolder` for the layout.

    Finished clips are passed over; a clip that cannot be used is told of and the rest goes on.

    Args:
        source: a folder of clips (videos, or folders of images), or one clip.
        destination: a new folder, or one begun with the same settings.
        settings: what decides the frames.
        trajectory: one pose for each high-rate frame, as TUM; for several clips a folder of <clip>.txt. None: the
            motion is estimated from the frames.
        on_progress: told stage, done, total.

    Returns:
        One sentence for each clip that failed.

    Raises:
        InputError: there are no clips, or the only one cannot be used.
        OutputError: see `ClipFolder`.
    """
    clips = find_clips(source)
    motion = None if trajectory is None else trajectory.name
    folder = ClipFolder(destination, {"made by": "goproshake", **_told(settings), "trajectory": motion})
    failures: list[str] = []
    for name, path in clips.items():
        if folder.has(name):
            continue
        try:
            with folder.begin(name) as clip:
                _make(clip, name, path, settings, _poses_of(trajectory, name), on_progress)
        except InputError as error:
            if len(clips) == 1:
                raise
            failures.append(f"{name}: {error}")
    return tuple(failures)


def _told(settings: GoProShake) -> dict[str, Any]:
    """As a folder keeps them; a K that is not given goes unsaid, as before there was one to give."""
    return {name: value for name, value in asdict(settings).items() if name != "K" or value is not None}


def substeps_of(name: str, settings: GoProShake) -> int:
    """N of the clip called `name`."""
    if settings.substeps is not None:
        return settings.substeps
    stated = _GOPRO_NAME.fullmatch(name)
    if stated and int(stated[1]) % 2:
        return int(stated[1])
    return int(np.random.default_rng([settings.seed, zlib.crc32(name.encode())]).choice(_SUBSTEPS))


def exposures(
    frames: SourceFrames, counts: list[int], substeps: int, factor: int, predictor: FlowPredictor
) -> Iterator[Exposure]:
    """Frame i averages `counts[i]` frames around c_i (Eq. D, G), with `factor` - 1 more between any two of them."""
    for i, count in enumerate(counts):
        centre = i * substeps + (substeps - 1) // 2
        truth = as_bytes(frames.frame(centre))
        blurry = truth if count == 1 else to_codes(average(frames, centre, count, factor, predictor))
        yield Exposure(blurry, truth, count)


def average(
    frames: SourceFrames, centre: int, count: int, factor: int, predictor: FlowPredictor
) -> Float[np.ndarray, "height width 3"]:
    """Eq. G before its outer g: the mean in linear light of `count` frames around `centre` and what is between them."""
    reach = (count - 1) // 2
    before = as_tensor(frames.frame(centre - reach))[None]
    total = before**GAMMA
    for index in range(centre - reach + 1, centre + reach + 1):
        after = as_tensor(frames.frame(index))[None]
        for light in in_between(before, after, factor, predictor):
            total = total + light
        total = total + after**GAMMA
        before = after
    return (total / ((count - 1) * factor + 1))[0].permute(1, 2, 0).numpy()


def _make(
    clip: ClipInMaking, name: str, path: Path, settings: GoProShake, trajectory: Path | None, on_progress: Progress
) -> None:
    frames, substeps = open_frames(path, clip.work), substeps_of(name, settings)
    count = len(frames) // substeps
    if not count:
        raise InputError(f"{path} has {len(frames)} frames; one blurry frame takes {substeps}.")
    speed, facts = _speed(frames, name, settings, trajectory, on_progress)
    speed = speed[: count * substeps]
    k = settings.K or normalisation(speed, substeps, settings.sharp_share)
    counts = exposure_counts(speed, substeps, settings.sharp_share, k).tolist()

    def watched() -> Iterator[Exposure]:
        for i, exposure in enumerate(exposures(frames, counts, substeps, settings.interpolate, Dis()), 1):
            on_progress(name, i, count)
            yield exposure

    facts |= {
        "source": path.name,
        "substeps": substeps,
        "K": k if np.isfinite(k) else None,
        "centres": [i * substeps + (substeps - 1) // 2 for i in range(count)],
        "speed": speed.tolist(),
        "settings": _told(settings),
    }
    coding = None if settings.crf is None else Coding(settings.crf)
    clip.write(watched(), "goproshake", coding, facts)


def _speed(
    frames: SourceFrames, name: str, settings: GoProShake, trajectory: Path | None, on_progress: Progress
) -> tuple[Float[np.ndarray, " frame"], dict[str, Any]]:
    """d_t of each frame, and where it comes from."""
    if trajectory is not None:
        speed = read_poses(trajectory, settings.quaternion).speed()
        if len(speed) != len(frames):
            raise InputError(f"{trajectory} holds {len(speed)} poses for {len(frames)} frames; give one for each.")
        return speed, {"motion": "trajectory"}
    found = estimate_egomotion(frames, lambda done, of: on_progress(f"{name}, motion", done, of))
    for warning in found.warnings:
        log.warning("warning: %s: motion of %s.", name, warning)
    return found.speed, {"motion": "estimated", "displaced": found.displaced, "missing": found.missing}


def _poses_of(trajectory: Path | None, name: str) -> Path | None:
    return trajectory / f"{name}.txt" if trajectory is not None and trajectory.is_dir() else trajectory
