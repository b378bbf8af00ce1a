"""Blurs on a device are those of the CPU: along the camera's path, and along each pixel's own way."""

import numpy as np
import pytest
import torch
from made_pairs import Made, on_device

from selfhvd.flow.camera.explained import _noise, explained, noise_on_device
from selfhvd.flow.camera.exposure_path import ExposureTrajectory
from selfhvd.flow.camera.scene_blur import scene_blur
from selfhvd.flow.device.scene_blur import scene_blurs
from selfhvd.flow.device.trajectory import Trajectories


@pytest.mark.parametrize("lead", [0.0, 1 / 24])
def test_blurred_along_the_path(photo, lead):
    sharp = Made((0, 0)).images(photo)[1]
    motion = (np.array(kind, np.float32) for kind in ((12.0, -5.0, 1.0, 0.5), (28.0, 26.0, 0.0, 0.0)))
    theirs = ExposureTrajectory(np.eye(3), *motion, lead)
    path, wanted = on_device(theirs, sharp), theirs.blurred(sharp)
    apart = (path.blurred(sharp) - wanted).abs()
    assert apart.mean() < 0.002 and apart.max() < 0.06
    assert torch.equal(Trajectories.still(torch.eye(3)[None]).blurred(sharp), sharp)


@pytest.mark.parametrize("reach", [0.0, 4.8, 7.2])
def test_blurred_along_each_way(photo, reach):
    """The exposure is a part of the way from the image before to the one after; near things go further."""
    blurry = Made((0, 0), velocity=(reach, 0.0), size=(160, 96)).images(photo)[0]
    before, after = (Made((x, 0), size=(160, 96)).images(photo)[0] for x in (-12, 12))
    flows = [torch.zeros(1, 2, 96, 160) + torch.tensor([x, 0.0]).view(1, 2, 1, 1) for x in (12, -12)]
    theirs = scene_blur(blurry, [before, after], flows)
    ours = scene_blurs(blurry, (before, after), (flows[0], flows[1]))
    torch.testing.assert_close(ours.way, theirs.way, atol=1e-3, rtol=0)
    assert abs(float(ours.way[0, 0].mean()) - reach) < 0.1
    assert (ours.seen(after, flows[1]) - theirs.seen(after, flows[1])).abs().mean() < 0.005


def test_what_is_explained_of_several_at_once(photo):
    made = [Made((5, 2), velocity=(6.0, 3.0)), Made((-9, 4))]
    first, second = (torch.cat(images) for images in zip(*(m.images(photo) for m in made), strict=True))
    glare = torch.zeros_like(first[:, :1])
    glare[1, :, 40:90, 60:180] = 0.3
    together = explained(first, second, second, glare)
    parts = zip(*(images.split(1) for images in (first, second, glare)), strict=True)
    alone = torch.cat([explained(a, b, b, light) for a, b, light in parts])
    assert (together - alone).abs().mean() < 0.01
    assert together[1, :, 45:85, 65:175].min() == 1


def test_noise_is_measured_as_on_the_cpu(photo, rng):
    image = Made((0, 0)).images(photo)[1]
    noisy = image + torch.from_numpy(rng.normal(0, 0.03, image.shape).astype(np.float32))
    found = noise_on_device(torch.cat([image, noisy]))
    assert found.tolist() == pytest.approx([_noise(image), _noise(noisy)], rel=0.02)
