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

from selfhvd.synthesis.trajectory import Trajectory, exposure_counts, shake

GAMMA = 2.2
"""Eq. B: encoded = linear ** (1 / GAMMA)."""

Kind = Literal["plain", "object", "night", "all-blurry", "sharp"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Handheld:
    """What the virtual phone films and how it is held."""

    kind: Kind = "plain"
    """`object`: something moves on its own; `night`: dark, with shot and read noise; `all-blurry`: no exposure is
    short; `sharp`: every exposure is."""
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


@dataclass(frozen=True)
class Exposure:
    """One frame of the clip and what it should have been."""

    frame: UInt8[np.ndarray, "height width 3"]
    truth: UInt8[np.ndarray, "height width 3"]
    """The middle sub-frame, without noise."""
    count: int
    """n_i: sub-frames averaged; 1 = sharp."""


def shoot(photo: UInt8[np.ndarray, "h w 3"], settings: Handheld) -> Iterator[Exposure]:
    """Film `photo` (RGB, at least as large as the view): one exposure after the other, never the whole clip."""
    rng = np.random.default_rng(settings.seed)
    radius = 0.25 * float(np.hypot(settings.width, settings.height))
    path = shake(rng, settings.frames, settings.substeps, settings.amplitude, radius)
    counts = _counts(path, radius, settings)
    layers = [_Layer.of_photo(photo, path, settings)]
    if settings.kind == "object":
        layers.append(_Layer.of_object(rng, photo, path, settings))
    darkness = rng.uniform(0.15, 0.35) if settings.kind == "night" else 1.0
    for i, count in enumerate(counts):
        centre = i * settings.substeps + (settings.substeps - 1) // 2
        reach = (int(count) - 1) // 2
        truth = darkness * _render(layers, centre, settings)
        steps = [centre + k for k in range(-reach, reach + 1) if k != 0]
        light = darkness * sum((_render(layers, step, settings) for step in steps), truth / darkness) / count
        if settings.kind == "night":
            light = _sensor(rng, light, darkness)
        yield Exposure(_encode(light), _encode(truth), int(count))


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
    def of_photo(photo: UInt8[np.ndarray, "h w 3"], path: Trajectory, settings: Handheld) -> "_Layer":
        centre = np.array([photo.shape[1], photo.shape[0]]) / 2
        return _Layer(_decode(photo), None, _view_matrices(path, centre, settings))

    @staticmethod
    def of_object(
        rng: np.random.Generator, photo: UInt8[np.ndarray, "h w 3"], path: Trajectory, settings: Handheld
    ) -> "_Layer":
        """A soft-edged round piece of the photo, mirrored, that wanders over the scene at its own uneven pace."""
        size = int(rng.uniform(0.3, 0.55) * settings.height)
        top = int(rng.integers(0, max(photo.shape[0] - size, 1)))
        left = int(rng.integers(0, max(photo.shape[1] - size, 1)))
        picture = _decode(np.ascontiguousarray(photo[top : top + size, left : left + size][:, ::-1]))
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


def _decode(picture: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    return (picture.astype(np.float32) / 255) ** GAMMA


def _encode(light: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Eq. G's outer g: linear light to 8-bit codes."""
    return np.rint(255 * np.clip(light, 0, 1) ** (1 / GAMMA)).astype(np.uint8)
