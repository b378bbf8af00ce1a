"""Fusing: the mean of what agrees, the best where it does not, and the colour of the frame on bare walls."""

import numpy as np
import pytest
import torch

from doubles import fused_frames
from selfhvd.extensions import fused_guides
from selfhvd.flow.predictor import Flow, FlowPredictor
from selfhvd.method.align import AlignConfig, Aligned
from selfhvd.video.frame_source import ArrayFrames

HEIGHT, WIDTH = 16, 20
OUTPUT = torch.full((3, HEIGHT, WIDTH), 0.4)
TRUSTING = AlignConfig(use_uncertainty=False)
TEXTURE = np.random.default_rng(0).integers(-40, 41, (HEIGHT, WIDTH, 1))


class LeftHidden(FlowPredictor):
    """Nothing moves; what is brighter than one half is not to be seen on its left."""

    name = "still"

    def __call__(self, first, second):
        field = torch.zeros(1, 2, HEIGHT, WIDTH)
        if max(first.mean(), second.mean()) > 0.5:
            field[..., : WIDTH // 2] = WIDTH
        return Flow(field, torch.ones(1, 1, HEIGHT, WIDTH))


def picture(level: int) -> np.ndarray:
    return np.repeat(level + TEXTURE, 3, axis=2).astype(np.uint8)


def fused(levels: tuple[int, ...], numbers: tuple[int, ...]):
    return fused_frames(OUTPUT, ArrayFrames([picture(n) for n in levels]), numbers, LeftHidden(), TRUSTING)


def level(image: torch.Tensor) -> float:
    return float((255 * image - torch.from_numpy(TEXTURE[..., 0])).mean())


def test_what_agrees_becomes_a_mean():
    guides = fused((100, 101, 102, 103), (0, 1, 2, 3))
    assert guides.images.shape == (1, 3, HEIGHT, WIDTH)
    assert level(guides.images[0]) == pytest.approx(101.5, abs=0.1)
    assert guides.trust.min() == 1


def test_noise_goes_down():
    draw = np.random.default_rng(1)
    noisy = [picture(100) + draw.integers(-5, 6, (HEIGHT, WIDTH, 3)) for _ in range(4)]
    frames = ArrayFrames([image.astype(np.uint8) for image in noisy])
    image = fused_frames(OUTPUT, frames, range(4), LeftHidden(), TRUSTING).images[0]
    clean = torch.from_numpy(picture(100)).permute(2, 0, 1) / 255
    assert (image - clean).square().mean() < 0.4 * (frames.tensor(0) - clean).square().mean()


@pytest.mark.parametrize("numbers", [(0, -1, 1, 2), (1, -1, 0, 2), (1, 0, 2)])
def test_what_differs_from_those_that_agree_is_left_out(numbers):
    assert level(fused((60, 100, 100), numbers).images[0]) == pytest.approx(100, abs=0.2)


def test_of_two_the_one_with_more_trust_rules():
    """The bright one is seen on one half only."""
    for numbers in ((0, 1), (1, 0)):
        assert level(fused((200, 60), numbers).images[0]) == pytest.approx(60, abs=0.2)


def test_where_the_best_is_not_seen_another_is_shown():
    """Three bright ones agree, but are seen on the right only."""
    guides = fused((200, 200, 200, 60), (0, 1, 2, 3))
    left, right = slice(0, WIDTH // 2), slice(WIDTH // 2, WIDTH)
    shown = 255 * guides.images[0] - torch.from_numpy(TEXTURE[..., 0])
    assert shown[..., left].mean().item() == pytest.approx(60, abs=0.2)
    assert shown[..., right].mean().item() == pytest.approx(200, abs=0.2)
    assert guides.trust.min() == 1


def test_where_none_is_seen_there_is_no_trust():
    guides = fused((200,), (0, -1))
    assert guides.trust[..., : WIDTH // 2].max() == 0 and guides.trust[..., WIDTH // 2 :].min() == 1


@pytest.mark.parametrize("numbers", [(-1, -1), ()])
def test_without_sharp_frames_it_is_the_frame_itself_without_trust(numbers):
    guides = fused((200,), numbers)
    torch.testing.assert_close(guides.images, OUTPUT[None])
    assert guides.trust.max() == 0


def test_a_bare_wall_takes_its_colour_from_the_frame():
    wall = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    guides = fused_frames(OUTPUT, ArrayFrames([wall]), (0, -1), LeftHidden(), TRUSTING)
    torch.testing.assert_close(guides.images[0], OUTPUT, atol=2e-3, rtol=0)
    assert guides.trust.min() == 1


def test_what_has_detail_keeps_its_colour():
    assert level(fused((60,), (0, -1)).images[0]) == pytest.approx(60, abs=0.1)


def test_the_smallest_picture():
    image = torch.full((3, 1, 1), 0.4)
    frames = ArrayFrames([np.full((1, 1, 3), 90, np.uint8)])

    class Nowhere(LeftHidden):
        def __call__(self, first, second):
            return Flow(torch.zeros(1, 2, 1, 1), torch.ones(1, 1, 1, 1))

    assert fused_frames(image, frames, (0, -1), Nowhere(), TRUSTING).images.isfinite().all()


def test_those_after_the_first_are_trusted_only_where_these_are_not():
    """The first one is seen on the left only; the second, brighter, everywhere."""
    seen = torch.zeros(1, 1, HEIGHT, WIDTH)
    seen[..., : WIDTH // 2] = 1
    images = [torch.from_numpy(picture(level)).permute(2, 0, 1)[None] / 255 for level in (60, 200)]
    masks = [seen, torch.ones_like(seen)]
    aligned = [Aligned(image, mask, mask, mask) for image, mask in zip(images, masks, strict=True)]
    guides = fused_guides.fused(OUTPUT, aligned, first=1)
    shown = 255 * guides.images[0] - torch.from_numpy(TEXTURE[..., 0])
    assert shown[..., : WIDTH // 2].mean().item() == pytest.approx(60, abs=0.2)
    assert shown[..., WIDTH // 2 :].mean().item() == pytest.approx(200, abs=0.2)
    assert guides.trust.min() == 1
    alike = fused_guides.fused(OUTPUT, aligned).images[0]
    assert not torch.allclose(alike, guides.images[0], atol=0.01), "without order the two are weighed"
