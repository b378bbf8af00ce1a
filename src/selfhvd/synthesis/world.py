"""A virtual phone in a world with depth: planes behind one another, a person who walks, a rolling shutter.

Blur is what the exposure saw: sub-frames over its length, each composed from back to front, are averaged in linear
light and clipped afterwards, so that lights brighter than white draw streaks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from selfhvd.synthesis.cutouts import STANDING, Outline, person
from selfhvd.synthesis.exposure import Exposure
from selfhvd.synthesis.exposure_length import round_to_odd
from selfhvd.synthesis.layers import Layer, Picture, see
from selfhvd.synthesis.light import to_light
from selfhvd.synthesis.phone_camera import PhoneCamera
from selfhvd.synthesis.trajectory import FRAME_RATE
from selfhvd.synthesis.walk import Walk, walk
from selfhvd.video.frame import as_bytes

WorldKind = Literal["depth", "street", "lamps"]
WORLD_KINDS: tuple[WorldKind, ...] = get_args(WorldKind)
_STEPS = 16
"""Of the path, a frame; between them it is straight."""
_MOST = 33
"""Sub-frames of an exposure."""
_FOCAL = 0.87
"""Focal length by the view's width: 60 degrees across, as a phone's main camera."""


@dataclass(frozen=True)
class World:
    """What the virtual phone films, and how."""

    kind: WorldKind = "depth"
    """`street`: people walk and turn; `lamps`: night, with lights brighter than white; `depth`: all stands still."""
    frames: int = 60
    width: int = 480
    """Pixels."""
    height: int = 272
    amplitude: float = 9.0
    """Typical speed of far things in violent moments, pixels a frame."""
    exposure: float = 16.0
    """Milliseconds, at most 33."""
    readout: float = 16.0
    """Milliseconds from the first row to the last; 0 = all rows at once."""
    sharp_share: float = 1 / 3
    """Share of the frames, the calmest, whose exposure is an instant (phones: 0.30 to 0.39 are sharp)."""
    seed: int = 0


def film_world(photos: Sequence[np.ndarray], settings: World) -> Iterator[Exposure]:
    """Film planes cut from `photos` (RGB; the first is the background): one exposure after the other.

    The truth shows each row half way through its exposure, so it is bent by the rolling shutter as the frame is. The
    matrices are those of the middle row: with a `readout` of 0 they hold for all rows.

    Raises:
        UsageError: a photo is no `selfhvd.video.frame.Picture`.
    """
    rng = np.random.default_rng(settings.seed)
    size, focal = (settings.width, settings.height), _FOCAL * settings.width
    camera = walk(rng, settings.frames + 2, _STEPS, settings.amplitude, focal)
    layers = _build(rng, [as_bytes(photo) for photo in photos], camera, focal, settings)
    seen = [_Seen(layer.picture, layer.matrices(camera, focal, size)) for layer in layers]
    phone = PhoneCamera.draw(rng, settings.frames, settings.kind == "lamps")
    length = settings.exposure / 1000 * FRAME_RATE * _STEPS
    middles = [(i + 1.5) * _STEPS for i in range(settings.frames)]
    travels = [[layer.travel(middle, length, size) for layer in seen] for middle in middles]
    for i, (middle, count) in enumerate(zip(middles, _counts(travels, settings.sharp_share), strict=True)):
        truth, mask = _compose(seen, middle, settings)
        light = truth.copy()
        for k in range(-(count // 2), count // 2 + 1):
            if k:
                light += _compose(seen, middle + k * length / count, settings)[0]
        matrices = np.stack([layer.at(np.array([middle]))[0] for layer in seen])
        frame = phone.take(light / count, i, rng)
        blur = travels[i][0] if count > 1 else 0.0
        yield Exposure(frame, phone.truth(truth, i), count, blur, 0, matrices, mask)


def _counts(travels: list[list[float]], sharp_share: float) -> list[int]:
    """Sub-frames of each exposure, from how far each layer travels in it, pixels."""
    farthest = np.array(travels).max(axis=1)
    counts = np.clip(round_to_odd(farthest), 1, _MOST)
    return np.where(farthest <= np.quantile(farthest, sharp_share), 1, counts).tolist()


@dataclass(frozen=True)
class _Seen:
    picture: Picture
    matrices: Float[np.ndarray, "step 3 3"]

    def at(self, steps: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3 3"]:
        """The homographies at any steps, whole or not."""
        before = np.clip(np.floor(steps).astype(int), 0, len(self.matrices) - 2)
        part = (steps - before)[:, None, None]
        return (1 - part) * self.matrices[before] + part * self.matrices[before + 1]

    def travel(self, middle: float, length: float, size: tuple[int, int]) -> float:
        """Pixels that a point of the layer covers in an exposure: the longest way across, mean over the view."""
        x, y = np.meshgrid(np.linspace(0, size[0] - 1, 3), np.linspace(0, size[1] - 1, 3))
        points = np.stack([x.ravel(), y.ravel(), np.ones(9)])
        matrices = self.at(middle + length * np.linspace(-0.5, 0.5, 7))
        moved = np.linalg.solve(matrices, np.broadcast_to(matrices[3] @ points, (7, 3, 9)))
        places = moved[:, :2] / moved[:, 2:]
        apart = places[:, None] - places[None]
        return float(np.hypot(apart[:, :, 0], apart[:, :, 1]).max(axis=(0, 1)).mean())


def _compose(
    layers: list[_Seen], middle: float, settings: World
) -> tuple[Float[np.ndarray, "height width 3"], UInt8[np.ndarray, "height width"]]:
    """Light from back to front, each row at its own instant; and the number of the layer that is seen."""
    rows = (np.arange(settings.height) + 0.5) / settings.height - 0.5
    steps = middle + rows * settings.readout / 1000 * FRAME_RATE * _STEPS
    scene = np.zeros((settings.height, settings.width, 3), np.float32)
    front = np.zeros((settings.height, settings.width), np.uint8)
    for number, layer in enumerate(layers):
        view = see(layer.picture, layer.at(steps), settings.width, endless=number == 0)
        opacity = np.minimum(view[..., 3:], 1)
        scene += opacity * (view[..., :3] - scene)
        front[opacity[..., 0] > 0.5] = number
    return scene, front


def _build(
    rng: np.random.Generator, photos: list[np.ndarray], camera: Walk, focal: float, settings: World
) -> list[Layer]:
    """Two to five planes, from back to front."""
    steps, dark = len(camera.position), settings.kind == "lamps"
    still = np.zeros((steps, 2)), np.zeros(steps)
    background = _opaque(to_light(photos[0]))
    planes = [Layer(_night(rng, background, 40) if dark else background, _behind(rng, camera, 9.0, 25.0), *still)]
    people = int(rng.integers(1, 3)) if settings.kind == "street" or dark else 0
    nearer = int(rng.integers(1, 5 - people))
    for is_person in [False] * nearer + [True] * people:
        photo = photos[int(rng.integers(len(photos)))]
        depth = _behind(rng, camera, 1.5, 6.0)
        # Tall enough never to end in the view, unless it is a person: 1.7 metres.
        height = round(1.7 / 0.8 * focal / depth) if is_person else 2 * settings.height
        width = round(0.7 * height) if is_person else int(1.6 * settings.width)
        outline = person if is_person else STANDING[int(rng.integers(len(STANDING)))]
        picture = _cut(rng, photo, outline(rng, height, width), rng.uniform(0, 0.8))
        place, turn = _wander(rng, steps) if is_person else still
        place = place + rng.uniform(-0.3, 0.3) * settings.width * depth / focal * np.array([1, 0])
        planes.append(Layer(_night(rng, picture, 0 if is_person else 2) if dark else picture, depth, place, turn))
    return sorted(planes, key=lambda plane: -plane.depth)


def _behind(rng: np.random.Generator, camera: Walk, low: float, high: float) -> float:
    """A depth that the camera does not reach, metres."""
    return float(camera.position[:, 2].max() + np.exp(rng.uniform(np.log(low), np.log(high))))


def _wander(rng: np.random.Generator, steps: int) -> tuple[Float[np.ndarray, "step xy=2"], Float[np.ndarray, " step"]]:
    """Somebody walks across, rises with each step and turns."""
    seconds = np.arange(steps) / (_STEPS * FRAME_RATE)
    pace = rng.uniform(0.3, 1.4) * rng.choice([-1, 1])
    across = pace * (seconds - seconds.mean())
    up = 0.025 * np.cos(2 * np.pi * 1.9 * seconds + rng.uniform(0, 6))
    turn = rng.uniform(0.2, 0.6) * np.sin(2 * np.pi * rng.uniform(0.3, 0.8) * seconds + rng.uniform(0, 6))
    return np.stack([across, up], axis=1), turn


def _cut(rng: np.random.Generator, photo: UInt8[np.ndarray, "h2 w2 3"], outline: Outline, defocus: float) -> Picture:
    """A piece of a photo, anywhere in it, with an outline; `defocus` in pixels."""
    height, width = outline.shape
    left, top = rng.uniform(0, photo.shape[1]), rng.uniform(0, photo.shape[0])
    place = np.array([[1, 0, left], [0, 1, top]])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    piece = cv2.warpAffine(photo, place, (width, height), flags=how, borderMode=cv2.BORDER_REFLECT_101)
    light = to_light(piece.astype(np.uint8)) * np.float32(rng.uniform(0.4, 1.0))
    picture = np.dstack([light, outline])
    return picture if defocus < 0.3 else cv2.GaussianBlur(picture, (0, 0), defocus).astype(np.float32)


def _opaque(light: Float[np.ndarray, "h w 3"]) -> Picture:
    return np.dstack([light, np.ones(light.shape[:2], np.float32)])


def _night(rng: np.random.Generator, picture: Picture, lamps: int) -> Picture:
    """The picture darkened, with lamps and signs up to 30 times as bright as white, each in its glow."""
    height, width = picture.shape[:2]
    lights = np.zeros((height, width, 3), np.float32)
    for _ in range(lamps):
        colour = rng.uniform(2, 30) * np.array([1, rng.uniform(0.5, 1), rng.uniform(0.15, 1)])[rng.permutation(3)]
        x, y, reach = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(1, 5))
        if rng.random() < 0.6:
            cv2.circle(lights, (x, y), reach, colour.tolist(), -1, cv2.LINE_AA)
        else:
            words = "".join(chr(int(c)) for c in rng.integers(65, 91, 5))
            sign = np.zeros((height, width), np.uint8)
            cv2.putText(sign, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.25 * reach, 255, 2, cv2.LINE_AA)
            lights += (sign[..., None] / 255 * colour / 5).astype(np.float32)
    sharp = cv2.GaussianBlur(lights, (0, 0), 0.7)
    glow = 0.02 * cv2.GaussianBlur(lights, (0, 0), 8)
    dark = picture.copy()
    dark[..., :3] = picture[..., :3] * np.float32(rng.uniform(0.08, 0.25)) + sharp + glow
    return dark
