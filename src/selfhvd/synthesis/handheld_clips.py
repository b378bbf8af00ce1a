"""Many handheld clips from a folder of photos, each with draws of its own."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from jaxtyping import UInt8

from selfhvd.synthesis.clip_folder import ClipFolder, ClipInMaking, Coding
from selfhvd.synthesis.handheld import Handheld, Kind, shoot
from selfhvd.synthesis.world import WORLD_KINDS, World, WorldKind, film_world
from selfhvd.system.progress import Progress, silent
from selfhvd.video.frame import as_bytes
from selfhvd.video.limits import Limits
from selfhvd.video.read.images import list_images, read_image

Photo = UInt8[np.ndarray, "h w 3"]
AnyKind = Literal[Kind, WorldKind, "mixed", "mixed-depth"]
MIXED: dict[Kind, float] = {
    "plain": 0.35, "object": 0.22, "night": 0.20, "cut": 0.10, "all-blurry": 0.08, "sharp": 0.05,
}  # fmt: skip
"""How often each kind is drawn."""
MIXED_DEPTH: dict[WorldKind, float] = {"depth": 0.40, "street": 0.35, "lamps": 0.25}
"""The same for `mixed-depth`."""
_EXPOSURE = {"depth": (8.0, 33.0), "street": (8.0, 33.0), "lamps": (20.0, 33.0)}
"""Milliseconds, by what is filmed."""
_READOUT = (10.0, 25.0)
"""Milliseconds; one clip in four has none."""
_AMPLITUDE = (6.0, 24.0)
"""Pixels a frame in a view of 480x272; grows with the view."""
_SHARP_SHARE = (0.30, 0.39)
"""As phones have it."""
_LONGEST = (1.25, 2.3)
"""Length of the photo in lengths of the view: a random size, so grain and detail differ."""
_EFFORTS = ("ultrafast", "veryfast", "medium")
"""A network that was taught one encoder's marks takes away little of another's: docs/ablations.md#synthesis.presets."""


@dataclass(frozen=True)
class HandheldClips:
    """What decides the clips."""

    kind: AnyKind = "mixed"
    frames: int = 60
    width: int = 480
    """Pixels."""
    height: int = 272
    crf: int | tuple[int, int] | None = 18
    """H.264 quality of the blurry frames, 0 to 51; two numbers: each clip draws its own, and an encoder; None = not
    coded."""
    seed: int = 0


def make_handheld(
    photos: Path,
    destination: Path,
    clips: int,
    settings: HandheldClips = HandheldClips(),
    on_progress: Progress = silent,
) -> None:
    """Film the photos of a folder in turn, in a drawn order; see `ClipFolder` for the layout.

    Finished clips are passed over. A clip depends on its number, not on how many there are: more can be added.

    Args:
        photos: a folder of images.
        destination: a new folder, or one begun with the same settings and photos.
        clips: how many there are to be.
        settings: what decides the frames.
        on_progress: told stage, done, total.

    Raises:
        InputError: there are no photos, or one cannot be read.
        OutputError: see `ClipFolder`.
    """
    paths = list_images(photos)
    folder = ClipFolder(
        destination, {"made by": "handheld", **asdict(settings), "photos": [path.name for path in paths]}
    )
    order = np.random.default_rng(settings.seed).permutation(len(paths))
    for number in range(clips):
        name = f"{number:04d}"
        if not folder.has(name):
            with folder.begin(name) as clip:
                chosen = [paths[order[(number + k) % len(paths)]] for k in range(min(3, len(paths)))]
                make = _make_world if settings.kind in (*WORLD_KINDS, "mixed-depth") else _make
                make(clip, chosen, number, settings)
        on_progress("film", number + 1, clips)


def draw_shot(rng: np.random.Generator, settings: HandheldClips) -> Handheld:
    """A hand of its own for each clip."""
    drawn = str(rng.choice(list(MIXED), p=list(MIXED.values())))
    kind = drawn if settings.kind == "mixed" else settings.kind
    scale = float(np.hypot(settings.width, settings.height) / np.hypot(480, 272))
    return Handheld(
        kind=next(k for k in get_args(Kind) if k == kind),
        frames=settings.frames,
        width=settings.width,
        height=settings.height,
        amplitude=scale * float(np.exp(rng.uniform(*np.log(_AMPLITUDE)))),
        sharp_share=float(rng.uniform(*_SHARP_SHARE)),
        seed=int(rng.integers(1 << 30)),
    )


def draw_world(rng: np.random.Generator, settings: HandheldClips) -> World:
    """A hand, a walk and a phone of its own for each clip."""
    drawn = str(rng.choice(list(MIXED_DEPTH), p=list(MIXED_DEPTH.values())))
    kind = drawn if settings.kind == "mixed-depth" else settings.kind
    scale = float(np.hypot(settings.width, settings.height) / np.hypot(480, 272))
    return World(
        kind=next(k for k in WORLD_KINDS if k == kind),
        frames=settings.frames,
        width=settings.width,
        height=settings.height,
        amplitude=scale * float(np.exp(rng.uniform(*np.log(_AMPLITUDE)))),
        exposure=float(np.exp(rng.uniform(*np.log(_EXPOSURE[kind])))),
        readout=float(rng.uniform(*_READOUT)) if rng.random() > 0.25 else 0.0,
        sharp_share=float(rng.uniform(*_SHARP_SHARE)),
        seed=int(rng.integers(1 << 30)),
    )


def load_photo(path: Path, longest: float, width: int, height: int) -> Photo:
    """RGB, 8 bits, reduced to `longest` pixels, but never smaller than a shaking view of `width` x `height` needs."""
    photo = as_bytes(read_image(path, Limits()))
    least = max(1.15 * height / photo.shape[0], 1.15 * width / photo.shape[1])
    scale = max(min(1.0, longest / max(photo.shape[:2])), least)
    if scale == 1:
        return photo
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(photo, None, fx=scale, fy=scale, interpolation=how).astype(np.uint8)


def _make(clip: ClipInMaking, paths: list[Path], number: int, settings: HandheldClips) -> None:
    rng = np.random.default_rng([settings.seed, number])
    shot = draw_shot(rng, settings)
    paths = paths[:2]
    # Two places in one photo lie apart only where the photo is long.
    low = _LONGEST[0] if len(paths) > 1 or shot.kind != "cut" else _LONGEST[1]
    longest = rng.uniform(low, _LONGEST[1]) * settings.width
    used = paths if shot.kind == "cut" else paths[:1]
    coding = _draw_coding(rng, settings.crf)
    pictures = [load_photo(path, longest, settings.width, settings.height) for path in used]
    facts = {"photos": [path.name for path in used], "seed": shot.seed, "settings": asdict(shot)}
    facts |= {"crf": None} if coding is None else {"crf": coding.crf, "effort": coding.effort}
    clip.write(shoot(pictures[0], shot, *pictures[1:]), shot.kind, coding, facts)


def _make_world(clip: ClipInMaking, paths: list[Path], number: int, settings: HandheldClips) -> None:
    rng = np.random.default_rng([settings.seed, number])
    world = draw_world(rng, settings)
    longest = rng.uniform(*_LONGEST) * settings.width
    coding = _draw_coding(rng, settings.crf)
    if isinstance(settings.crf, tuple) and coding is not None and rng.random() < 0.5:
        coding = replace(coding, codec="hevc")
    pictures = [load_photo(path, longest, settings.width, settings.height) for path in paths]
    facts = {"photos": [path.name for path in paths], "seed": world.seed, "settings": asdict(world)}
    facts |= {"crf": None} if coding is None else asdict(coding)
    clip.write(film_world(pictures, world), world.kind, coding, facts)


def _draw_coding(rng: np.random.Generator, crf: int | tuple[int, int] | None) -> Coding | None:
    if crf is None or isinstance(crf, int):
        return None if crf is None else Coding(crf)
    return Coding(int(rng.integers(*crf, endpoint=True)), str(rng.choice(_EFFORTS)))
