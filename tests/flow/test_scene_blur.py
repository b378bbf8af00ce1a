"""Each pixel is smeared along its own way: known by hand for a scene of two depths that slides past."""

import cv2
import numpy as np
import torch

from selfhvd.flow.camera.predictor import GlobalMotionFlow
from selfhvd.flow.camera.scene_blur import SceneBlur, scene_blur
from selfhvd.flow.dis import Dis
from selfhvd.ops.light import GAMMA

FAR, NEAR = 1.0, 3.0
"""Pixels a time step that the upper and the lower half of the scene go to the left."""


def texture(seed: int) -> np.ndarray:
    chosen = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(chosen.random((128, 512, 3)).astype(np.float32), (0, 0), 1.5)
    return (0.1 + 0.8 * (noise - noise.min()) / np.ptp(noise)).astype(np.float32)


UPPER, LOWER = texture(1), texture(2)


def scene(time: float) -> torch.Tensor:
    """Two walls, each by its own speed; 128 x 192."""

    def part(wall: np.ndarray, speed: float) -> np.ndarray:
        place = np.float32([[1, 0, -150 - speed * time], [0, 1, 0]])
        return cv2.warpAffine(wall, place, (192, 128), flags=cv2.INTER_CUBIC)

    image = np.vstack([part(UPPER, FAR)[:64], part(LOWER, NEAR)[64:]])
    return torch.from_numpy(image).permute(2, 0, 1)[None].clamp(0, 1)


def exposed(reach: float) -> torch.Tensor:
    """The mean of the light over `reach` time steps around time 0."""
    times = np.linspace(-reach / 2, reach / 2, 25)
    return (sum(scene(time) ** GAMMA for time in times) / len(times)) ** (1 / GAMMA)


def flow(time: float) -> torch.Tensor:
    """From time 0 to another one."""
    field = torch.zeros(1, 2, 128, 192)
    field[:, 0, :64], field[:, 0, 64:] = -FAR * time, -NEAR * time
    return field


def test_nothing_goes_anywhere_without_a_way():
    assert torch.allclose(SceneBlur(flow(0)).seen(scene(0), flow(0)), scene(0), atol=1e-5)


def test_the_part_of_the_way_is_found():
    found = scene_blur(exposed(2.4), [scene(-4), scene(4)], [flow(-4), flow(4)]).way
    # From time -4 to 4 near things go 24 pixels, in 2.4 time steps 7.2: 0.3 of it.
    assert abs(abs(float(found[0, 0, 100, 96])) - 7.2) < 0.01
    assert abs(abs(float(found[0, 0, 30, 96])) - 2.4) < 0.01


def test_what_is_sharp_has_none():
    assert scene_blur(scene(0), [scene(-4), scene(4)], [flow(-4), flow(4)]).way.abs().max() == 0


def test_blurred_along_it_the_sharp_images_show_the_blurry_one():
    blurry = exposed(2.4)
    blur = scene_blur(blurry, [scene(-4), scene(4)], [flow(-4), flow(4)])
    inner = (..., slice(8, 56), slice(40, 150))
    apart = (blur.seen(scene(4), flow(4)) - blurry)[inner].abs().mean()
    assert apart < 0.25 * (scene(0) - blurry)[inner].abs().mean()


def test_near_things_are_followed_and_trusted():
    blurry, before, after = exposed(3.0), scene(-4), scene(4)
    motions = GlobalMotionFlow(Dis()).motions(blurry, [before, after])
    inner = (0, 0, slice(72, 120), slice(40, 150))
    for motion, time in zip(motions, (-4, 4), strict=True):
        # Without the step: 0.32 to 0.34 pixels, 0.24.
        assert (motion.there.field - flow(time))[inner].abs().mean() < 0.26
        assert motion.there.certainty[inner].mean() > 0.8
