"""A virtual phone, held by a shaking hand, filming a photo: blurry frames with their exact sharp twins.

Blur is made as in GoProShake (Eq. A, B, D-G): sub-frames along the camera's path are averaged in linear light, more
of them the faster the camera moves; about a third of the frames average one sub-frame only and are sharp.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from selfhvd.synthesis.exposure import Exposure
from selfhvd.synthesis.exposure_length import exposure_counts
from selfhvd.synthesis.light import to_codes, to_light
from selfhvd.synthesis.trajectory import Trajectory, shake
from selfhvd.video.frame import as_bytes

Kind = Literal["plain", "object", "night", "all-blurry", "sharp", "cut"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Handheld:
    """What the virtual phone films and how it is held."""

    kind: Kind = "plain"
    """`object`: something moves on its own; `night`: dark, with shot and read noise; `all-blurry`: no exposure is
    short; `sharp`: every exposure is; `cut`: half way, the scene changes."""
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
    darkness = rng.uniform(0.15, 0.35) if settings.kind == "night" else 1.0
    for i, count in enumerate(counts):
        scene = i * len(scenes) // settings.frames
        layers = scenes[scene]
        centre = i * settings.substeps + (settings.substeps - 1) // 2
        reach = (int(count) - 1) // 2
        truth = darkness * _render(layers, centre, settings)
        steps = [centre + k for k in range(-reach, reach + 1) if k != 0]
        light = darkness * sum((_render(layers, step, settings) for step in steps), truth / darkness) / count
        if settings.kind == "night":
            light = _sensor(rng, light, darkness)
        matrices = np.stack([layer.matrices[centre] for layer in layers])
        blur = _extent(layers[0].matrices[centre - reach : centre + reach + 1], reach, settings)
        yield Exposure(to_codes(light), to_codes(truth), int(count), blur, scene, matrices)


def _scenes(
    rng: np.random.Generator,
    photo: UInt8[np.ndarray, "h w 3"],
    second: UInt8[np.ndarray, "h2 w2 3"] | None,
    path: Trajectory,
    settings: Handheld,
) -> "list[list[_Layer]]":
    """The layers of each scene, in the order in which they are filmed."""
    if settings.kind != "cut":
        layers = [_Layer.of_photo(photo, path, settings)]
        if settings.kind == "object":
            layers.append(_Layer.of_object(rng, photo, path, settings))
        return [layers]
    if second is not None:
        return [[_Layer.of_photo(photo, path, settings)], [_Layer.of_photo(second, path, settings)]]
    height, width = photo.shape[:2]
    quarter = np.array([width / 4, 0]) if width >= height else np.array([0, height / 4])
    return [[_Layer.of_photo(photo, path, settings, place)] for place in (-quarter, quarter)]


def _counts(path: Trajectory, radius: float, settings: Handheld) -> list[int]:
    if settings.kind == "sharp":
        return [1] * settings.frames
    counts = exposure_counts(path.speed(radius), settings.substeps, settings.sharp_share)
    return [max(int(n), 7) if settings.kind == "all-blurry" else int(n) for n in counts]


@dataclass(frozen=True)
class _Layer:
    """A picture in linear light with opacity, and for each step the matrix from view to picture pixels."""

    picture: Float[np.ndarray, "h w 3"]
    opacity: Float[np.ndarray, "h w"] | None
    matrices: Float[np.ndarray, "step 2 3"]

    @staticmethod
    def of_photo(
        photo: UInt8[np.ndarray, "h w 3"],
        path: Trajectory,
        settings: Handheld,
        place: Float[np.ndarray, "xy=2"] | None = None,
    ) -> "_Layer":
        """`place`: where the path starts, pixels from the photo's centre."""
        centre = np.array([photo.shape[1], photo.shape[0]]) / 2
        start = centre if place is None else centre + place
        return _Layer(to_light(photo), None, _view_matrices(path, start, settings))

    @staticmethod
    def of_object(
        rng: np.random.Generator, photo: UInt8[np.ndarray, "h w 3"], path: Trajectory, settings: Handheld
    ) -> "_Layer":
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
        return _Layer(picture, opacity, _view_matrices(seen, np.array([w, h]) / 2, settings))


def _view_matrices(
    path: Trajectory, centre: Float[np.ndarray, "xy=2"], settings: Handheld
) -> Float[np.ndarray, "step 2 3"]:
    """Affine maps from view pixels to picture pixels, the view centred on `centre` + position."""
    cos, sin = np.cos(path.angle) / path.zoom, np.sin(path.angle) / path.zoom
    linear = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], axis=1)
    middle = np.array([(settings.width - 1) / 2, (settings.height - 1) / 2])
    offset = centre + path.position - linear @ middle
    return np.concatenate([linear, offset[..., None]], axis=2)


def _extent(matrices: Float[np.ndarray, "step 2 3"], middle: int, settings: Handheld) -> float:
    """Pixels that what stands in the view at step `middle` covers in all of them: the longest way across, mean."""
    x, y = np.meshgrid(np.linspace(0, settings.width - 1, 5), np.linspace(0, settings.height - 1, 5))
    seen = matrices[middle] @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    places = np.linalg.solve(matrices[:, :, :2], seen - matrices[:, :, 2:])
    apart = places[:, None] - places[None]
    return float(np.hypot(apart[:, :, 0], apart[:, :, 1]).max(axis=(0, 1)).mean())


def _render(layers: list[_Layer], step: int, settings: Handheld) -> Float[np.ndarray, "height width 3"]:
    """The scene in linear light, as seen at one instant."""
    size, how = (settings.width, settings.height), cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    scene = cv2.warpAffine(
        layers[0].picture, layers[0].matrices[step], size, flags=how, borderMode=cv2.BORDER_REFLECT_101
    )
    for layer in layers[1:]:
        assert layer.opacity is not None
        matrix = layer.matrices[step]
        picture = cv2.warpAffine(layer.picture, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
        linear = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        opacity = cv2.warpAffine(layer.opacity, matrix, size, flags=linear)[..., None]
        scene = scene + opacity * (picture - scene)
    return scene


def _sensor(
    rng: np.random.Generator, light: Float[np.ndarray, "height width 3"], darkness: float
) -> Float[np.ndarray, "height width 3"]:
    """Shot noise (variance grows with light) and read noise, in linear light."""
    photons, read = rng.uniform(600, 2500), rng.uniform(0.001, 0.004)
    noise = rng.standard_normal(light.shape, dtype=np.float32)
    return (light + noise * np.sqrt(np.clip(light, 0, None) * darkness / photons + read**2)).astype(np.float32)
