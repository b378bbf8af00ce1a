"""`selfhvd synthesize`: blurry clips with known truth, from photos or from high-rate video."""

import math
import re
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from selfhvd.errors import PartialError, UsageError

Kind = Literal[
    "mixed", "plain", "object", "night", "all-blurry", "sharp", "cut", "mixed-depth", "depth", "street", "lamps"
]
Quaternion = Literal["xyzw", "wxyz"]
Quiet = Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")]
Verbose = Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")]

app = App(
    name="synthesize",
    help="""Make blurry clips with known truth: DST/blur/CLIP, DST/sharp/CLIP (PNG frames), DST/labels/CLIP.json.

    For example:

    `selfhvd synthesize handheld photos made --clips 20` films photos with a virtual shaking phone.

    `selfhvd synthesize goproshake GOPRO_Large_all/train made` blurs 240 fps frames.

    The same settings and seed make the same frames; a run that was stopped goes on with the same command.

    Exit codes: 0 good, 2 usage, 3 input, 4 output or disk, 7 some clips failed.""",
)


@app.command
def handheld(
    photos: Path,
    destination: Annotated[Path, Parameter(name="dst")],
    *,
    clips: int = 10,
    kind: Kind = "mixed",
    frames: int = 60,
    size: str = "480x272",
    crf: str = "18",
    seed: int = 0,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Film photos with a virtual shaking phone; the exact motion is in the labels. Prints the folder.

    Args:
        photos: a folder of images.
        destination: a new folder, or one begun with the same settings; --clips may grow.
        clips: how many clips there are to be.
        kind: `object`: something moves on its own; `night`: dark, with noise; `all-blurry`: no sharp frame; `sharp`:
            nothing else; `cut`: half way the scene changes; `mixed`: drawn for each clip. In a world with depth, filmed
            on a walk: `depth`: things that stand; `street`: people too; `lamps`: night; `mixed-depth`: drawn of these.
        frames: length of a clip.
        size: width and height in pixels.
        crf: H.264 quality of the blurry frames, 0 to 51; 8-26: each clip draws its own (with depth, HEVC too); `none`
            leaves them uncoded.
        seed: another seed, other clips.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.cli.progress import shown_progress
    from selfhvd.synthesis import HandheldClips, make_handheld

    width, height = _size(size)
    if clips < 1 or frames < 2 or seed < 0:
        raise UsageError("--clips must be at least 1, --frames at least 2 and --seed at least 0.")
    settings = HandheldClips(kind, frames, width, height, _crf(crf), seed)
    with shown_progress(quiet) as progress:
        make_handheld(photos, destination, clips, settings, progress)
    sys.stdout.write(f"{destination}\n")


@app.command
def goproshake(
    source: Annotated[Path, Parameter(name="src")],
    destination: Annotated[Path, Parameter(name="dst")],
    *,
    trajectory: Path | None = None,
    quaternion: Quaternion = "xyzw",
    sharp_share: float | None = None,
    k: Annotated[float | None, Parameter(name="--K")] = None,
    substeps: int | None = None,
    interpolate: int = 4,
    crf: int | None = None,
    seed: int = 0,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Blur high-rate clips as a shaking hand would: the faster the camera, the longer the exposure. Prints the folder.

    Args:
        source: a folder of clips (videos, or folders of images), or one clip.
        destination: a new folder, or one begun with the same settings.
        trajectory: one pose for each high-rate frame, lines `timestamp tx ty tz qx qy qz qw`; for several clips a
            folder of CLIP.txt. Default: the motion is estimated from the frames.
        quaternion: order of the quaternion's numbers; wxyz for MonST3R.
        sharp_share: wanted share of sharp frames, at least 0 and below 1; default: 0.33.
        k: the constant K of Eq. F, above 0, for all clips: the smaller, the longer the exposures; in the unit of the
            camera's speed (radians and distances to the scene from one high-rate frame to the next). Not published;
            default: for each clip the one that gives --sharp-share.
        substeps: high-rate frames that make one, odd; default: as GoPro's names say, else drawn from 7, 9, 11, 13.
        interpolate: each step from frame to frame is divided into so many before averaging; 1 = none.
        crf: H.264 quality of the blurry frames, 0 to 51; `none` leaves them uncoded.
        seed: decides what is drawn.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.cli.progress import shown_progress
    from selfhvd.synthesis import GoProShake, make_goproshake

    _check_crf(crf)
    if k is not None and sharp_share is not None:
        raise UsageError("--K says how many frames are sharp, so it does not go together with --sharp-share.")
    if k is not None and not (k > 0 and math.isfinite(k)):
        raise UsageError(f"--K {k:g} must be a number above 0.")
    share = GoProShake.sharp_share if sharp_share is None else sharp_share
    if not 0 <= share < 1:
        raise UsageError("--sharp-share must be at least 0 and below 1.")
    if substeps is not None and (substeps < 3 or substeps % 2 == 0):
        raise UsageError("--substeps must be odd and at least 3.")
    if interpolate < 1 or seed < 0:
        raise UsageError("--interpolate must be at least 1 and --seed at least 0.")
    settings = GoProShake(share, substeps, interpolate, crf, quaternion, seed, k)
    with shown_progress(quiet) as progress:
        failures = make_goproshake(source, destination, settings, trajectory, progress)
    if failures:
        raise PartialError(f"{len(failures)} clips could not be made. " + " ".join(failures))
    sys.stdout.write(f"{destination}\n")


def _size(words: str) -> tuple[int, int]:
    """`480x272` as width and height."""
    match = re.fullmatch(r"(\d+)x(\d+)", words)
    if match is None or min(int(match[1]), int(match[2])) < 32:
        raise UsageError(f"--size {words} is no size; write WIDTHxHEIGHT, as 480x272, each at least 32.")
    return int(match[1]), int(match[2])


def _crf(words: str) -> int | tuple[int, int] | None:
    """`18`, `8-26` or `none`."""
    if words == "none":
        return None
    ends = [int(end) for end in words.split("-")] if re.fullmatch(r"\d+(-\d+)?", words) else [-1]
    if ends != sorted(ends) or not 0 <= ends[0] <= ends[-1] <= 51:
        raise UsageError("--crf must be 0 to 51, two such numbers as 8-26, or none.")
    return (ends[0], ends[1]) if len(ends) > 1 else ends[0]


def _check_crf(crf: int | None) -> None:
    if crf is not None and not 0 <= crf <= 51:
        raise UsageError("--crf must be 0 to 51, or none.")
