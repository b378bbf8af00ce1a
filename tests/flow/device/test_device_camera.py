"""On a device the camera, the path and the masks are those that the CPU's own way finds."""

import numpy as np
import pytest
import torch
from made_pairs import Made

from selfhvd.flow import DeviceMotionFlow, Dis, GlobalMotionFlow, SeaRaft, SeaRaftConfig, SeaRaftFlow
from selfhvd.flow.device.units import Units
from selfhvd.method.align import align_by
from simulated_device import DEVICE, OnDevice, SimulatedDevice, moved

NEAR_ENOUGH = 0.03
"""Pixels."""
SHARP = [
    Made((5, 2)),
    Made((-20, 12), 3.0),
    Made((40, -18), -6.0),
    Made((-52, 30), 2.0),
]
STRAIGHT = [
    Made((6, -4), 1.0, (5, 2)),
    Made((-12, 8), -4.0, (-6, 9)),
    Made((25, 14), 6.0, (14, -3)),
    Made((-44, -16), 2.0, (12, 16)),
]
BENT = [
    Made((8, 5), -2.0, (9, 3), (6, -6)),
    Made((18, -10), 5.0, (-8, 12), (-9, 4)),
    Made((-35, 20), -3.0, (18, 8), (8, 14)),
]
SHORT = [
    Made((5, -3), 1.0, (4, 1)),
    Made((-15, 9), -2.0, (-3, 5), (9, 5)),
    Made((22, 8), 3.0, (6, 5), (-6, 10)),
    Made((-9, -14), 0.0, (9, -4), (7, 8)),
]


def found(made: Made, first: torch.Tensor, second: torch.Tensor):
    """The device's camera, from pixels to pixels, and its path's length."""
    cameras = DeviceMotionFlow().cameras(first, second)
    assert cameras.known.all()
    units = Units.of(first)
    return units.to_pixels(cameras.path.middle)[0].double().numpy(), float(cameras.path.extent[0]) * units.unit


@pytest.mark.parametrize("made", [*SHARP, *STRAIGHT, *BENT, *SHORT])
def test_camera_and_path_are_the_same(photo, made):
    first, second = made.images(photo)
    theirs = GlobalMotionFlow(Dis()).camera(first, second)
    ours, length = found(made, first, second)
    assert theirs is not None and made.apart(ours, theirs.middle) < NEAR_ENOUGH
    assert made.apart(ours, made.led) < 0.06
    assert length == pytest.approx(theirs.blur_extent, abs=0.3) and (length > 0) == any(made.velocity)


@pytest.mark.parametrize("made", [SHARP[1], STRAIGHT[1], BENT[1], SHORT[2]])
def test_masks_are_the_same(photo, made):
    first, second = made.images(photo)
    ways = [predictor.motions(first, [second]) for predictor in (GlobalMotionFlow(Dis()), DeviceMotionFlow())]
    theirs, ours = (next(align_by(way, [second])) for way in ways)
    assert abs(float(ours.mask.mean() - theirs.mask.mean())) < 0.02
    assert (ours.mask - theirs.mask).abs().mean() < 0.02
    assert (ours.mask * (ours.image - theirs.image).abs()).mean() < 0.002


def test_both_ways_lead_back(photo):
    made = Made((10, -6), 4.0)
    there, back = DeviceMotionFlow().both(*made.images(photo))
    wanted = made.homography @ np.array([120.0, 68, 1])
    assert np.allclose(there.field[0, :, 68, 120] + torch.tensor([120.0, 68]), wanted[:2] / wanted[2], atol=0.05)
    wanted = np.linalg.inv(made.homography) @ np.array([120.0, 68, 1])
    assert np.allclose(back.field[0, :, 68, 120] + torch.tensor([120.0, 68]), wanted[:2] / wanted[2], atol=0.05)


def test_pairs_do_not_meet(photo):
    """Of several at once each is as alone: a stranger among them harms nobody."""
    made = Made((9, 4), 2.0, (8, 5), size=(160, 96))
    first, second = made.images(photo)
    stranger = torch.full_like(second, 0.5)
    together = DeviceMotionFlow().both(first.repeat(2, 1, 1, 1), torch.cat([stranger, second]))[0]
    alone = DeviceMotionFlow().both(first, second)[0]
    torch.testing.assert_close(together.field[1:], alone.field, atol=2e-2, rtol=0)
    assert together.field.isfinite().all() and together.certainty.isfinite().all()


@pytest.mark.parametrize("motion", [((12, 6), (5, -8)), ((6, 4), (-12, 20))])
def test_the_path_that_two_images_agree_on_serves_the_others(photo, motion):
    """The third shares a third of the view with the blurred one; of a short path it leads to the mean, too."""
    made = Made((6, -4), 1.0, *motion)
    first, second = made.images(photo)
    other, far = (Made(shake, size=made.size).images(photo)[0] for shake in ((-14, 9), (70, 52)))
    seconds = torch.cat([second, other, far])
    path = DeviceMotionFlow().cameras(first.expand(3, -1, -1, -1), seconds, alike=True).path
    ways = path.velocity * torch.sign((path.velocity * path.velocity[:1]).sum(dim=1, keepdim=True))
    assert (ways[2] - ways[0]).norm() < 1e-6 < path.extent[0] and path.lead[2] == path.lead[0]
    middle = Units.of(first).to_pixels(path.middle)[2].double().numpy()
    assert made.apart(middle, np.linalg.inv(Made((70, 52), size=made.size).homography) @ made.led) < 0.1


def test_no_camera_between_strangers():
    """Dark against bright: the flow is what the free flow says."""
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(160.0), indexing="ij")
    dark, bright = (
        (v.expand(1, 3, -1, -1) / 255).contiguous() for v in (20 + 10 * (x / 9).sin(), 200 + 40 * (y / 7).sin())
    )
    flow = DeviceMotionFlow()
    assert not flow.cameras(dark, bright).known.any()
    torch.testing.assert_close(flow(dark, bright).certainty, flow.free(dark, bright).certainty)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_bare_images_are_borne(value):
    bare = torch.full((2, 3, 96, 128), value)
    there, back = DeviceMotionFlow().both(bare, bare)
    assert all(part.isfinite().all() for flow in (there, back) for part in (flow.field, flow.certainty))
    assert there.field.abs().max() < 1e-3


@pytest.mark.parametrize(("height", "width"), [(1, 1), (9, 70), (63, 200), (64, 64), (65, 301)])
def test_any_size(photo, height, width):
    first, second = (
        torch.from_numpy(photo[n : n + height, :width].copy()).permute(2, 0, 1)[None] / 255 for n in (3, 0)
    )
    there, back = DeviceMotionFlow().both(first, second)
    assert there.field.shape == back.field.shape == (1, 2, height, width)
    assert there.field.isfinite().all() and there.certainty.isfinite().all()


def test_nothing_to_look_for(photo):
    assert DeviceMotionFlow().motions(Made((5, 2)).images(photo)[0], []) == []


def test_images_elsewhere_are_brought_there_and_flows_back(photo):
    """As training has them, which keeps its frames on the host."""
    first, second = Made((5, 2), size=(96, 64)).images(photo)
    device = SimulatedDevice()
    with device, device.leaving():
        there = DeviceMotionFlow(device=DEVICE).both(first, second)[0]
    assert type(there.field) is torch.Tensor and len(device.left) == 4
    torch.testing.assert_close(there.field, DeviceMotionFlow().both(first, second)[0].field, atol=1e-3, rtol=0)


def test_a_network_helped_by_the_camera_stays_there(photo):
    network = SeaRaft(SeaRaftConfig(size="s", iterations=1)).eval()
    first, second = Made((5, 2), size=(96, 64)).images(photo)
    device = SimulatedDevice()
    with device, torch.no_grad():
        flow = DeviceMotionFlow(SeaRaftFlow(moved(network)))
        motions = flow.motions(first.to(DEVICE), [second.to(DEVICE)] * 2)
        assert all(isinstance(motion.there.field, OnDevice) for motion in motions)
    assert not device.left
