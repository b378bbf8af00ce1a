"""Trust by the witness: what a sharp image, blurred alike, does not show as the blurry one does is not trusted."""

import cv2
import numpy as np
import torch

from selfhvd.flow.camera.explained import explained as explained_by
from selfhvd.flow.camera.explained import lights


def scene(pole: int | None, noise: float = 0.0, seed: int = 0) -> torch.Tensor:
    """A textured wall, and a dark pole before it at a column."""
    chosen = np.random.default_rng(3)
    wall = cv2.GaussianBlur(chosen.random((96, 128, 3)).astype(np.float32), (0, 0), 2.0)
    wall = 0.3 + 0.5 * (wall - wall.min()) / np.ptp(wall)
    if pole is not None:
        wall[:, pole : pole + 5] = 0.05
    wall = wall + noise * np.random.default_rng(seed).standard_normal(wall.shape).astype(np.float32)
    return torch.from_numpy(wall.astype(np.float32)).permute(2, 0, 1)[None].clamp(0, 1)


def explained(blurry: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Of a sharp image that needs no blur to be seen so."""
    return explained_by(blurry, seen, seen, torch.zeros_like(seen[:, :1]))


def test_the_same_is_trusted_wholly():
    assert explained(scene(60), scene(60)).min() == 1


def test_a_pole_beside_its_place_is_not_and_the_wall_is():
    trust = explained(scene(60), scene(72))[0, 0]
    assert trust[:, 61:64].max() < 0.1 and trust[:, 73:76].max() < 0.1
    assert trust[:, :50].min() == 1 and trust[:, 85:].min() == 1


def test_a_thing_that_the_blurry_image_does_not_show_is_not():
    assert explained(scene(None), scene(60))[0, 0, :, 61:64].max() < 0.1


def test_noise_is_no_difference():
    noisy = explained(scene(60, 0.05), scene(60))
    assert noisy.mean() > 0.95
    assert explained(scene(60, 0.05), scene(72))[0, 0, :, 61:64].mean() < 0.3  # but a pole still is


def test_light_tells_in_proportion():
    half = explained(scene(60), 0.5 * scene(60) + 0.5 * scene(72))[0, 0, :, 60:65].mean()
    assert explained(scene(60), scene(72))[0, 0, :, 60:65].mean() < half < 1


def test_lights_tell_nothing():
    lit = scene(None)
    lit[..., 60:65] = 1.0
    assert explained(lit, scene(None)).min() > 0.95


def test_what_a_blur_has_wiped_out_cannot_be_held_against_a_sharp_image():
    stripes = torch.full((1, 3, 64, 64), 0.5)
    stripes[..., ::2] = 0.6
    flat = torch.full((1, 3, 64, 64), 0.55)
    nearly = flat + 0.1 * (stripes - flat)  # a path that is a little too short leaves a tenth of them
    none = torch.zeros_like(flat[:, :1])
    assert explained_by(flat, nearly, stripes, none).min() > 0.95
    assert explained_by(flat, stripes, stripes, none).max() < 0.2


def test_the_streak_of_a_light_tells_nothing():
    """It was brighter than white, so its streak is brighter than that of what the sharp image shows of it."""
    sharp = scene(None)
    sharp[..., 40:44, 60:64] = 1.0
    blurry, seen = sharp.clone(), sharp.clone()
    for image, light in ((blurry, 0.3), (seen, 0.06)):
        image[..., 40:44, 50:74] = (image[..., 40:44, 50:74] + light).clamp(max=0.88)
    glare = torch.zeros_like(sharp[:, :1])
    glare[..., 40:44, 50:74] = 0.3
    streak = (0, 0, slice(41, 43), slice(52, 58))
    assert explained_by(blurry, seen, sharp, glare)[streak].min() == 1
    assert explained_by(blurry, seen, sharp, torch.zeros_like(glare))[streak].max() < 0.5
    assert lights(sharp)[0, 0].nonzero().tolist() == [[y, x] for y in range(40, 44) for x in range(60, 64)]
