"""A virtual phone, held by a shaking hand, filming a photo: blurry frames with their exact sharp twins.

Blur is made as in GoProShake (Eq. A, B, D-G): sub-frames along the camera's path are averaged in linear light, more
of them the faster the camera moves; about a third of the frames average one sub-frame only and are sharp.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, UInt8

from selfhvd.synthesis.exposure import Exposure
from selfhvd.synthesis.exposure_length import exposure_counts
from selfhvd.synthesis.layer import Layer, rendered, view_matrices
from selfhvd.synthesis.light import to_codes, to_light
from selfhvd.synthesis.phone_camera import PhoneCamera
from selfhvd.synthesis.trajectory import Trajectory, shake
from selfhvd.synthesis.world import near_layers, with_lamps
from selfhvd.video.frame import as_bytes

Light = Float[np.ndarray, "height width 3"]
Codes = UInt8[np.ndarray, "height width 3"]
Kind = Literal["plain", "object", "night", "all-blurry", "sharp", "cut", "depth", "street", "lamps"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_WITH_DEPTH: tuple[Kind, ...] = ("depth", "street", "lamps")
"""Filmed by a walker, with a phone's own camera."""


@dataclass(frozen=True)
class Handheld:
    """What the virtual phone films and how it is held."""

    kind: Kind = "plain"
    """`object`: something moves on its own; `night`: dark, with shot and read noise; `all-blurry`: no exposure is
    short; `sharp`: every exposure is; `cut`: half way, the scene changes; `depth`: somebody walks past near things;
    `street`: among which people walk; `lamps`: the same at night, with lights brighter than white."""
    frames: int = 60
    width: int = 480
    """Pixels."""
    height: int = 272
    amplitude: float = 9.0
    """Typical speed of the image in violent moments, pixels a frame."""
    sharp_share: float = 1 / 3
    """Wanted share of frames with n_i = 1 (phones: 0.30 to 0.39)."""
    substeps: int = 15
    """N: sub-frames a frame interval, odd."""
    seed: int = 0
    readout: float = 0.0
    """From the first row's exposure to the last one's, part of the time from frame to frame, 0 to 1. The exact flow is
    that of the middle row."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    @property
    def with_depth(self) -> bool:
        """Whether it is a world with near things, through a phone's own camera."""
        return self.kind in _WITH_DEPTH


def shoot(photo: np.ndarray, settings: Handheld, second: np.ndarray | None = None) -> Iterator[Exposure]:
    """Film `photo` (RGB, at least as large as the view): one exposure after the other, never the whole clip.

    A `cut` leads to the photo `second`; without one, from one end of `photo` to the other, which shows two different
    places where the photo is at least twice as long as the view.

    Raises:
        UsageError: a photo is no `selfhvd.video.frame.Picture`.
    """
    photo, second = as_bytes(photo), None if second is None else as_bytes(second)
    rng = np.random.default_rng(settings.seed)
    radius = 0.25 * float(np.hypot(settings.width, settings.height))
    path = shake(rng, settings.frames, settings.substeps, settings.amplitude, radius)
    counts = _counts(path, radius, settings)
    scenes = _scenes(rng, photo, second, path, settings)
    develop = _camera(rng, settings)
    for i, count in enumerate(counts):
        scene = i * len(scenes) // settings.frames
        layers = scenes[scene]
        centre = i * settings.substeps + (settings.substeps - 1) // 2
        reach = (int(count) - 1) // 2

        def seen(step: int, layers: list[Layer] = layers) -> Light:
            return rendered(layers, step, settings.size, settings.readout * settings.substeps)

        middle = seen(centre)
        steps = [centre + k for k in range(-reach, reach + 1) if k != 0]
        light = sum((seen(step) for step in steps), middle) / count
        frame, truth = develop(i, light, middle)
        matrices = np.stack([layer.matrices[centre] for layer in layers])
        blur = _extent(layers[0].matrices[centre - reach : centre + reach + 1], reach, settings)
        yield Exposure(frame, truth, int(count), blur, scene, matrices)


def _camera(rng: np.random.Generator, settings: Handheld) -> Callable[[int, Light, Light], tuple[Codes, Codes]]:
    """From number, light and light of the middle to a frame and its truth."""
    if settings.with_depth:
        dark = rng.uniform(0.15, 0.5) if settings.kind == "lamps" else rng.uniform(0.7, 1.0)
        phone = PhoneCamera.drawn(rng, settings.frames, dark)
        return lambda i, light, middle: (phone.frame(rng, light, i), phone.truth(middle, i))
    darkness = rng.uniform(0.15, 0.35) if settings.kind == "night" else 1.0

    def plain(_: int, light: Light, middle: Light) -> tuple[Codes, Codes]:
        light = darkness * light
        seen = _sensor(rng, light, darkness) if settings.kind == "night" else light
        return to_codes(seen), to_codes(darkness * middle)

    return plain


def _scenes(
    rng: np.random.Generator,
    photo: UInt8[np.ndarray, "h w 3"],
    second: UInt8[np.ndarray, "h2 w2 3"] | None,
    path: Trajectory,
    settings: Handheld,
) -> list[list[Layer]]:
    """The layers of each scene, in the order in which they are filmed."""
    size, steps = settings.size, (settings.frames, settings.substeps)
    if settings.kind != "cut":
        background = Layer.of_photo(photo, path, size)
        if settings.kind == "object":
            return [[background, _object(rng, photo, path, settings)]]
        if settings.kind == "lamps":
            background = with_lamps(rng, background)
        if settings.with_depth:
            moving = settings.kind != "depth"
            return [[background, *near_layers(rng, photo, path, size, steps, settings.amplitude, moving)]]
        return [[background]]
    if second is not None:
        return [[Layer.of_photo(picture, path, size)] for picture in (photo, second)]
    height, width = photo.shape[:2]
    quarter = np.array([width / 4, 0]) if width >= height else np.array([0, height / 4])
    return [[Layer.of_photo(photo, path, size, place)] for place in (-quarter, quarter)]


def _counts(path: Trajectory, radius: float, settings: Handheld) -> list[int]:
    if settings.kind == "sharp":
        return [1] * settings.frames
    counts = exposure_counts(path.speed(radius), settings.substeps, settings.sharp_share)
    return [max(int(n), 7) if settings.kind == "all-blurry" else int(n) for n in counts]


def _object(rng: np.random.Generator, photo: UInt8[np.ndarray, "h w 3"], path: Trajectory, settings: Handheld) -> Layer:
    """A soft-edged round piece of the photo, mirrored, that wanders over the scene at its own uneven pace."""
    size = int(rng.uniform(0.3, 0.55) * settings.height)
    top = int(rng.integers(0, max(photo.shape[0] - size, 1)))
    left = int(rng.integers(0, max(photo.shape[1] - size, 1)))
    picture = to_light(np.ascontiguousarray(photo[top : top + size, left : left + size][:, ::-1]))
    h, w = picture.shape[:2]
    y, x = np.mgrid[0:h, 0:w]
    distance = np.hypot((x - w / 2) / (w / 2), (y - h / 2) / (h / 2))
    opacity = np.clip((0.95 - distance) * 12, 0, 1).astype(np.float32)
    own = shake(rng, settings.frames, settings.substeps, 0.8 * settings.amplitude, float(settings.height))
    drift = rng.uniform(-2.5, 2.5, size=2) / settings.substeps * np.arange(len(path.angle))[:, None]
    place = rng.uniform(-0.25, 0.25, size=2) * [settings.width, settings.height]
    # The object sits in the scene: the camera's own motion shows on it too.
    seen = Trajectory(path.position - place - own.position - drift, path.angle, path.zoom)
    return Layer(picture, opacity, view_matrices(seen, np.array([w, h]) / 2, settings.size))


def _extent(matrices: Float[np.ndarray, "step 2 3"], middle: int, settings: Handheld) -> float:
    """Pixels that what stands in the view at step `middle` covers in all of them: the longest way across, mean."""
    x, y = np.meshgrid(np.linspace(0, settings.width - 1, 5), np.linspace(0, settings.height - 1, 5))
    seen = matrices[middle] @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    places = np.linalg.solve(matrices[:, :, :2], seen - matrices[:, :, 2:])
    apart = places[:, None] - places[None]
    return float(np.hypot(apart[:, :, 0], apart[:, :, 1]).max(axis=(0, 1)).mean())


def _sensor(
    rng: np.random.Generator, light: Float[np.ndarray, "height width 3"], darkness: float
) -> Float[np.ndarray, "height width 3"]:
    """Shot noise (variance grows with light) and read noise, in linear light."""
    photons, read = rng.uniform(600, 2500), rng.uniform(0.001, 0.004)
    noise = rng.standard_normal(light.shape, dtype=np.float32)
    return (light + noise * np.sqrt(np.clip(light, 0, None) * darkness / photons + read**2)).astype(np.float32)
