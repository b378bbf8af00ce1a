"""A world with depth: things before a background, filmed by a walker; each moves the more the nearer it is."""

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from selfhvd.synthesis.cutouts import cutout, person
from selfhvd.synthesis.layer import Layer, Size, view_matrices
from selfhvd.synthesis.light import to_light
from selfhvd.synthesis.trajectory import FRAME_RATE, Trajectory, shake

_STEPS_HZ = (1.7, 2.2)
"""Of a walk, a second."""
_MARGIN = 0.5
"""A near layer reaches so many views beyond the view on each side."""
_NEARNESS = (0.25, 2.0)
"""How much more than the background a near thing moves with the walk: distance of the background over its own."""
_LAMPS = (3, 14)
"""How many there are."""
_BRIGHTEST = (2.0, 14.0)
"""Light of a lamp, white being 1."""


def walk(
    rng: np.random.Generator, frames: int, substeps: int, amplitude: float
) -> tuple[Float[np.ndarray, "step xy=2"], Float[np.ndarray, " step"]]:
    """How far a walker has come: sideways and down, and forward.

    In pixels of what is as far away as the background; the last as the logarithm of how much larger that has become.
    """
    seconds = np.arange(frames * substeps) / (substeps * FRAME_RATE)
    steps, phase = rng.uniform(*_STEPS_HZ), rng.uniform(0, 2 * np.pi)
    speed = amplitude * FRAME_RATE  # pixels a second
    bob = rng.uniform(0.02, 0.08) * speed / steps * np.sin(2 * np.pi * steps * seconds + phase)
    sway = rng.uniform(0.02, 0.08) * speed / steps * np.sin(np.pi * steps * seconds + phase)
    along = rng.uniform(-0.35, 0.35) * speed * seconds
    forward = rng.uniform(-0.02, 0.10) * seconds
    return np.stack([along + sway, bob], axis=1), forward


def near_layers(
    rng: np.random.Generator,
    photo: UInt8[np.ndarray, "h w 3"],
    path: Trajectory,
    size: Size,
    steps: tuple[int, int],
    amplitude: float,
    moving: bool,
) -> list[Layer]:
    """One to four things before the background, the farthest first.

    Args:
        rng: source of every draw.
        photo: what they are cut out of.
        path: the hand's.
        size: of the view.
        steps: frames, and sub-frames a frame.
        amplitude: of the hand, pixels a frame.
        moving: whether people among them walk on their own.
    """
    way, forward = walk(rng, *steps, 0.5 * amplitude)
    layers: list[Layer] = []
    for nearness in np.sort(rng.uniform(*_NEARNESS, size=int(rng.integers(1, 5)))):
        seen = Trajectory(path.position + nearness * way, path.angle, path.zoom * np.exp(nearness * forward))
        if moving and rng.random() < 0.7:
            layers.append(_walker(rng, photo, seen, size, steps, nearness))
        else:
            layers.append(_thing(rng, photo, seen, size))
    return layers


def _thing(rng: np.random.Generator, photo: UInt8[np.ndarray, "h w 3"], path: Trajectory, size: Size) -> Layer:
    """Something that stands still, as wide as the view and its surroundings."""
    width, height = (round((1 + 2 * _MARGIN) * side) for side in size)
    picture = _textured(rng, photo, height, width)
    return Layer(
        to_light(picture), cutout(rng, height, width), view_matrices(path, np.array([width, height]) / 2, size)
    )


def _walker(
    rng: np.random.Generator,
    photo: UInt8[np.ndarray, "h w 3"],
    path: Trajectory,
    size: Size,
    steps: tuple[int, int],
    nearness: float,
) -> Layer:
    """Somebody who goes his own way, and sways."""
    height = round(rng.uniform(0.5, 1.1) * size[1])
    width = max(16, round(0.6 * height))
    picture = _textured(rng, photo, height, width)
    own = shake(rng, *steps, 0.05 * size[1] * nearness, float(height))
    count = np.arange(len(path.angle))[:, None]
    stroll = np.array([rng.uniform(-0.012, 0.012) * size[0], 0]) / steps[1] * count
    place = np.array([rng.uniform(-0.4, 0.4) * size[0], rng.uniform(-0.1, 0.3) * size[1]])
    seen = Trajectory(path.position - place - 0.3 * own.position - stroll, path.angle + own.angle, path.zoom)
    return Layer(
        to_light(picture), person(rng, height, width), view_matrices(seen, np.array([width, height]) / 2, size)
    )


def _textured(
    rng: np.random.Generator, photo: UInt8[np.ndarray, "h w 3"], height: int, width: int
) -> UInt8[np.ndarray, "height width 3"]:
    """A piece of the photo, of its own size, turned, lighter or darker."""
    part = rng.uniform(0.5, 1.0)
    cut = [max(8, min(round(part * side), have)) for side, have in zip((height, width), photo.shape[:2], strict=True)]
    top, left = (int(rng.integers(0, have - side + 1)) for side, have in zip(cut, photo.shape[:2], strict=True))
    piece = np.ascontiguousarray(photo[top : top + cut[0], left : left + cut[1]][:, :: int(rng.choice((-1, 1)))])
    larger = cv2.resize(piece, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return np.clip(larger * rng.uniform(0.4, 1.3) * rng.uniform(0.8, 1.2, size=3), 0, 255).astype(np.uint8)


def with_lamps(rng: np.random.Generator, background: Layer) -> Layer:
    """Lamps and lit signs, brighter than white: what is cut off at white only after the blur smears as streaks."""
    picture = background.picture.copy()
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(*_LAMPS))):
        mask = np.zeros((height, width), np.uint8)
        x, y, side = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(1, 5))
        if rng.random() < 0.7:
            cv2.circle(mask, (x, y), side, 255, -1, cv2.LINE_AA)
        else:
            text = "".join(rng.choice(list("ABCEHKMNOTX"), size=4))
            cv2.putText(mask, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.4, 1.2), 255, 2, cv2.LINE_AA)
        colour = rng.uniform(*_BRIGHTEST) * np.array([1.0, rng.uniform(0.3, 1), rng.uniform(0.1, 1)])
        glow = cv2.GaussianBlur(mask, (0, 0), 0.8).astype(np.float32)[..., None] / 255
        picture += glow * (rng.permutation(colour) - picture).astype(np.float32)
    return replace(background, picture=picture)
