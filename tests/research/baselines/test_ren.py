"""Ren et al.: sharp frames as targets, the same frames blurred as input."""

import cv2
import numpy as np
import pytest
import torch
from clip_for_baselines import HEIGHT, SHARP, WIDTH, Numbered, lesson, selection, sliding

from selfhvd.errors import UsageError
from selfhvd.method.sharp_frames import laplacian_variance
from selfhvd.research.baselines.kernels import KernelConfig
from selfhvd.research.baselines.pairs import Turn
from selfhvd.research.baselines.ren import RandomBlur, RenConfig, blurred

FIELDS = ("frames", "guides", "trust", "target", "mask", "visible", "weight", "standing", "all_guides", "all_trust")


def pairs(seed: int = 0, share: tuple[int, int] = (0, 1), **changes) -> RandomBlur:
    config = RenConfig(**({"crop": 48, "size": 5, "fit_to_frame": False} | changes))
    return RandomBlur(sliding(), selection(), config, seed, share)


def test_only_sharp_frames_are_read_and_all_of_them():
    frames = Numbered(18)
    blur = RandomBlur(frames, selection(), RenConfig(size=4))
    for step in range(12):
        batch = blur.draw(step)
        # A frame of one colour stays what it is, however blurred.
        torch.testing.assert_close(batch.frames, batch.target, atol=1e-5, rtol=0)
    assert set(frames.asked) == set(SHARP)


def test_targets_are_pieces_of_sharp_frames():
    frames = sliding()
    sharp = [frames.tensor(i).permute(1, 2, 0).numpy() for i in SHARP]

    def distance(target: np.ndarray) -> float:
        ways = [np.ascontiguousarray(np.rot90(t, q)) for t in (target, target[:, ::-1]) for q in range(4)]
        return min(float(cv2.matchTemplate(s, way, cv2.TM_SQDIFF).min()) for s in sharp for way in ways)

    batch = pairs(size=3).draw(0)
    for shown, target in zip(batch.frames[:, 0], batch.target[:, 0], strict=True):
        assert distance(target.permute(1, 2, 0).numpy()) < 0.1 < 1 < distance(shown.permute(1, 2, 0).numpy())


def test_input_is_blurrier_than_its_target():
    batch = pairs(size=8).draw(0)
    shown, target = (laplacian_variance(x.flatten(0, 1)) for x in (batch.frames, batch.target))
    assert (shown < 0.5 * target).all()
    # Same place, same light: the means agree but for what the kernel brings in from outside.
    assert (batch.frames - batch.target).mean(dim=(1, 2, 3, 4)).abs().max() < 0.02
    assert (shown > 0).all()


def test_blur_is_a_convolution_that_sees_beyond_the_crop():
    image = sliding().tensor(1)
    kernel = np.zeros((5, 5), np.float32)
    kernel[2, 4] = 1  # a convolution with it brings what lies two pixels to the left
    crop = blurred(image, kernel, top=10, left=12, side=16)
    assert torch.equal(crop, image[:, 10:26, 10:26])
    corner = blurred(image, kernel, top=0, left=0, side=16)
    assert torch.equal(corner[:, :, 2:], image[:, :16, :14])


def test_linear_light_keeps_lights_bright():
    image = torch.zeros(3, 9, 9)
    image[:, :, 4] = 1
    kernel = np.full((1, 3), 1 / 3, np.float32)
    encoded = blurred(image, kernel, 0, 0, 9)
    linear = blurred(image, kernel, 0, 0, 9, linear_light=True)
    assert encoded[0, 4, 4] == pytest.approx(1 / 3, abs=1e-6)
    assert linear[0, 4, 4] == pytest.approx((1 / 3) ** (1 / 2.2), abs=1e-6)


def test_single_frame_in_a_longer_window():
    batch = pairs(window=3, guides=2).draw(0)
    assert batch.frames.shape == (5, 3, 3, 48, 48) and batch.guides.shape == (5, 3, 2, 3, 48, 48)
    assert torch.equal(batch.frames[:, 0], batch.frames[:, 2]) and torch.equal(batch.target[:, 0], batch.target[:, 1])
    assert batch.trust.max() == 0 and torch.equal(batch.guides[:, :, 1], batch.frames)
    assert batch.standing.tolist() == [[0, 1, 2]] * 5 and torch.equal(batch.shown, batch.frames)
    assert batch.weight.min() == batch.mask.min() == batch.visible.min() == 1


def test_hangs_on_seed_and_step_alone():
    first = pairs().draw(4)
    other = pairs()
    other.draw(0)
    for name in FIELDS:
        assert torch.equal(getattr(first, name), getattr(other.draw(4), name))
    assert not torch.equal(first.frames, pairs().draw(5).frames)
    assert not torch.equal(first.frames, pairs(seed=1).draw(4).frames)


def test_two_shares_are_the_whole_batch():
    whole, even, odd = pairs().draw(2), pairs(share=(0, 2)).draw(2), pairs(share=(1, 2)).draw(2)
    assert len(even.frames) == 3 and len(odd.frames) == 2
    for name in FIELDS:
        assert torch.equal(getattr(whole, name)[0::2], getattr(even, name))
        assert torch.equal(getattr(whole, name)[1::2], getattr(odd, name))


@pytest.mark.parametrize("share", [(0, 6), (2, 2), (-1, 2)])
def test_a_process_without_windows_is_refused(share):
    with pytest.raises(UsageError, match="cannot be shared"):
        pairs(share=share)


def test_kernels_follow_the_frames():
    assert RandomBlur(sliding(), selection()).kernel.scale == pytest.approx(min(HEIGHT, WIDTH) / 720)


def test_turns_are_the_eight_ways_to_lay_a_square_down():
    image = torch.arange(9.0).view(1, 3, 3)
    laid = {tuple(Turn(quarters, flip)(image).flatten().tolist()) for quarters in range(4) for flip in (False, True)}
    assert len(laid) == 8
    assert Turn(1, False)(image)[0].tolist() == np.rot90(image[0].numpy()).tolist()


@pytest.mark.slow
def test_teaches_a_network():
    assert lesson(pairs(size=2, guides=2, crop=32, kernel=KernelConfig(scale=0.08))) < 0.9
