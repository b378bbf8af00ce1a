"""The world with depth: what is near moves more, lights smear, flow is exact, seeds hold."""

from dataclasses import replace

import av
import cv2
import numpy as np
import pytest
import skimage.data
import torch

from selfhvd.metrics import psnr
from selfhvd.ops.warp import warp
from selfhvd.synthesis import (
    WORLD_KINDS,
    ClipLabel,
    HandheldClips,
    World,
    exact_flow,
    film_world,
    make_handheld,
)
from selfhvd.synthesis.layers import Layer, see
from selfhvd.synthesis.phone_camera import PhoneCamera
from selfhvd.synthesis.walk import Walk
from selfhvd.video import encode_clip

SMALL = World(frames=4, width=96, height=64, amplitude=4.0, seed=1)


def sideways(metres: float) -> Walk:
    return Walk(np.array([[0.0, 0, 0], [metres, 0, 0]]), np.stack([np.eye(3)] * 2))


@pytest.mark.parametrize(("depth", "pixels"), [(1.0, 10.0), (2.0, 5.0), (10.0, 1.0)])
def test_what_is_near_moves_more(depth, pixels):
    """A step of 0.1 m at a focal length of 100 pixels: 100 * 0.1 / depth."""
    layer = Layer(np.zeros((64, 96, 4), np.float32), depth, np.zeros((2, 2)), np.zeros(2))
    first, second = layer.matrices(sideways(0.1), 100.0, (96, 64))
    flow = exact_flow(first, second, 64, 96)
    assert np.allclose(first, np.eye(3), atol=1e-9)
    assert np.allclose(flow[0], -pixels, atol=1e-4) and np.allclose(flow[1], 0, atol=1e-4)


def test_exact_flow_of_a_homography():
    """x / (1 + x / 10) seen from the identity: 10 came from 10 / (1 + 1) = 5."""
    bent = np.array([[1.0, 0, 0], [0, 1, 0], [-0.1, 0, 1]])
    assert exact_flow(np.eye(3), bent, 1, 11)[0, 0, 10].item() == pytest.approx(-5)


def test_rows_are_taken_one_after_another():
    """Each row shifted by its own number: a vertical line becomes a slanting one."""
    picture = np.zeros((8, 16, 4), np.float32)
    picture[:, 10] = 1
    rows = np.stack([np.array([[1.0, 0, r], [0, 1, 0], [0, 0, 1]]) for r in range(8)])
    assert see(picture, rows, 16, endless=False)[..., 0].argmax(axis=1).tolist() == [10 - r for r in range(8)]


def test_flow_joins_the_truths(photo):
    """Without readout, where the background is seen in both, warped frames agree; unmoved they do not."""
    smooth = cv2.GaussianBlur(photo, (0, 0), 3.0)
    taken = list(film_world([smooth], replace(SMALL, frames=12, amplitude=8.0, readout=0.0)))
    first, last = taken[0], taken[-1]
    flow = exact_flow(first.matrices[0], last.matrices[0], 64, 96)[None]
    other = torch.from_numpy(np.dstack([last.truth, 255 * (last.seen == 0)])).permute(2, 0, 1)[None].float()
    moved = warp(other, flow)[0].permute(1, 2, 0).numpy()
    both = cv2.erode(((moved[..., 3] > 254) & (first.seen == 0)).astype(np.uint8), np.ones((7, 7))) > 0
    after, before = (
        psnr(x[both][:, None], first.truth[both][:, None])
        for x in (moved[..., :3].clip(0, 255).round().astype(np.uint8), last.truth)
    )
    assert both.mean() > 0.1 and after > 30 and after > before + 6


def test_light_is_clipped_after_the_blur():
    """A lamp of 20 over a tenth of the exposure is white; clipped before, it would be a tenth of white."""
    phone = PhoneCamera(np.ones((1, 3)), 1e9, 0.0, 0.0, 0.0)
    light = np.full((16, 16, 3), 20.0, np.float32) / 10
    assert (phone.truth(light, 0) == 255).all()
    assert np.abs(phone.truth(np.full((16, 16, 3), 0.1, np.float32), 0).astype(int) - 90).max() <= 1


def test_the_mosaic_keeps_colours():
    phone = PhoneCamera(np.ones((1, 3)), 1e9, 0.0, 0.0, 0.0)
    light = np.broadcast_to(np.array([0.8, 0.4, 0.1], np.float32), (16, 16, 3)).copy()
    right = np.rint(255 * light ** (1 / 2.2))
    assert np.abs(phone.truth(light, 0) - right).max() <= 1
    assert np.abs(phone.take(light, 0, np.random.default_rng(0)) - right).max() <= 1


@pytest.mark.parametrize("kind", WORLD_KINDS)
def test_each_kind(photo, kind):
    shot = replace(SMALL, kind=kind, frames=3)
    taken, again = (list(film_world([photo, skimage.data.coffee()], shot)) for _ in range(2))
    for one, other in zip(taken, again, strict=True):
        assert np.array_equal(one.frame, other.frame) and np.array_equal(one.truth, other.truth)
        assert one.count % 2 == 1 and one.matrices.shape[1:] == (3, 3) and 2 <= len(one.matrices) <= 5
        assert one.seen is not None and one.seen.max() < len(one.matrices)
    assert not np.array_equal(taken[0].frame, next(film_world([photo], replace(shot, seed=2))).frame)


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 4), (0.8, 9, 12)])
def test_so_many_frames_are_sharp(photo, share, least, most):
    shot = replace(SMALL, frames=12, amplitude=30.0, exposure=33.0, sharp_share=share)
    assert least <= [one.count for one in film_world([photo], shot)].count(1) <= most


def test_hevc_makes_the_same_bytes_each_time(tmp_path, photo):
    frames = [np.ascontiguousarray(photo[i : i + 64, 2 * i : 2 * i + 96]) for i in range(8)]
    for name in ("one.mp4", "other.mp4"):
        encode_clip(frames, tmp_path / name, crf=24, preset="ultrafast", codec="hevc")
    with av.open(str(tmp_path / "one.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "hevc"
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "other.mp4").read_bytes()


def test_a_clip_and_its_label(tmp_path, photo):
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "one.png"), photo[::2, ::2, ::-1])
    settings = HandheldClips("mixed-depth", 3, 96, 64, crf=(20, 30))
    make_handheld(tmp_path / "photos", tmp_path / "made", 2, settings)
    labels = [ClipLabel.load(path) for path in sorted((tmp_path / "made" / "labels").iterdir())]
    assert {label.kind for label in labels} <= set(WORLD_KINDS)
    assert all(
        label.flow(0, 2, 1).shape == (2, 64, 96) and label.facts["codec"] in ("h264", "hevc") for label in labels
    )
