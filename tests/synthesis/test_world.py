"""A world with depth: near things move more, rows are exposed in turn, lamps smear, a phone's camera adds its noise."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from selfhvd.ops.warp import warp
from selfhvd.synthesis import Handheld, exact_flow, shoot
from selfhvd.synthesis.cutouts import cutout, person
from selfhvd.synthesis.layer import Layer, rendered, view_matrices
from selfhvd.synthesis.light import to_codes
from selfhvd.synthesis.phone_camera import PhoneCamera
from selfhvd.synthesis.trajectory import Trajectory, shake
from selfhvd.synthesis.world import near_layers, walk, with_lamps

SIZE = (96, 64)
SHOT = Handheld("street", 6, *SIZE, amplitude=10.0, seed=3)


@pytest.fixture
def photo(rng):
    coarse = rng.integers(40, 215, (20, 26, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((6, 6, 1), np.uint8))


def sliding(steps: int, speed: float) -> Trajectory:
    """A view that moves right."""
    along = speed * np.arange(steps)
    return Trajectory(np.stack([along, np.zeros(steps)], 1), np.zeros(steps), np.ones(steps))


@pytest.mark.parametrize("kind", ["depth", "street", "lamps"])
def test_the_same_seed_films_the_same(photo, kind):
    shot = replace(SHOT, kind=kind, readout=0.5)
    one, other = ([*shoot(photo, shot)] for _ in range(2))
    assert all(
        np.array_equal(a.frame, b.frame) and np.array_equal(a.truth, b.truth) for a, b in zip(one, other, strict=True)
    )
    assert len(one) == shot.frames and len(one[0].matrices) >= 2


def test_what_is_nearer_moves_more(photo, rng):
    still = sliding(6 * 15, 0.0)
    layers = near_layers(np.random.default_rng(8), photo, still, SIZE, (6, 15), 20.0, moving=False)
    assert len(layers) > 2
    travelled = [np.abs(layer.matrices[-1, :, 2] - layer.matrices[0, :, 2]).sum() for layer in layers]
    assert travelled == sorted(travelled) and travelled[-1] > 1.2 * travelled[0]


def test_a_walk_has_two_steps_a_second(rng):
    way, _ = walk(rng, 300, 15, 10.0)
    strength = np.abs(np.fft.rfft(way[:, 1] - way[:, 1].mean()))
    assert 1.6 < strength.argmax() / 10 < 2.3


def test_the_flow_of_a_near_thing_is_exact(photo):
    path = sliding(30, 0.3)
    thing = Layer(
        np.full((64, 96, 3), 0.2, np.float32),
        np.zeros((64, 96), np.float32),
        view_matrices(path, np.array([40.0, 30.0]), SIZE),
    )
    thing.picture[20:40, 30:50], thing.opacity[20:40, 30:50] = 0.9, 1.0  # pyright: ignore
    backdrop = Layer(
        np.zeros((200, 200, 3), np.float32), None, view_matrices(sliding(30, 0.0), np.array([100.0, 100.0]), SIZE)
    )
    first, second = (
        torch.from_numpy(rendered([backdrop, thing], step, SIZE)).permute(2, 0, 1)[None] for step in (0, 29)
    )
    flow = exact_flow(thing.matrices[0], thing.matrices[29], SIZE[1], SIZE[0])[None]
    assert (first - second).abs().max() > 0.5
    assert (warp(second, flow) - first).abs().mean() < 0.004


def test_rows_are_exposed_one_after_the_other():
    stripe = np.zeros((120, 200, 3), np.float32)
    stripe[:, 100:104] = 1
    layer = Layer(stripe, None, view_matrices(sliding(41, 1.0), np.array([80.0, 60.0]), SIZE))
    at_once, in_turn = (rendered([layer], 20, SIZE, readout)[..., 0].argmax(axis=1) for readout in (0.0, 20.0))
    assert at_once[2] == at_once[-3]
    assert 15 <= in_turn[2] - in_turn[-3] <= 20


def test_lamps_are_cut_off_after_the_blur(photo, rng):
    background = with_lamps(rng, Layer.of_photo(photo, shake(rng, 2, 15, 5.0, 30.0), SIZE))
    assert background.picture.max() > 1.5
    moved = [np.roll(background.picture, k, axis=1) for k in range(8)]
    late, early = (to_codes(sum(m) / 8) for m in (moved, [m.clip(0, 1) for m in moved]))
    assert late.astype(int).sum() > early.astype(int).sum()


def test_a_dark_picture_has_more_noise_and_its_truth_has_none(rng):
    phones = [PhoneCamera(np.ones((1, 3)), photons, 0.001, 0.0, 0.0) for photons in (300.0, 30_000.0)]
    light = np.full((64, 64, 3), 0.2, np.float32)
    much, little = (phone.frame(rng, light, 0).std() for phone in phones)
    assert much > 4 * little > 0
    assert phones[0].truth(light, 0).std() == 0


def test_a_mosaic_keeps_colours(rng):
    phone = PhoneCamera(np.ones((1, 3)), 1e9, 0.0, 0.0, 0.0)
    light = np.tile(np.array([0.7, 0.3, 0.1], np.float32), (32, 32, 1))
    assert np.abs(phone.frame(rng, light, 0).astype(int) - phone.truth(light, 0)).max() <= 1


def test_cut_outs_hide_something_and_not_everything():
    for seed in range(30):
        mask = cutout(np.random.default_rng(seed), 96, 128)
        assert mask.shape == (96, 128) and mask.min() >= 0 and mask.max() <= 1
    figure = person(np.random.default_rng(0), 96, 60)
    assert 0.05 < figure.mean() < 0.7
