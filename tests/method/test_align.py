"""Alignment with a flow that is known: image, mask and visible share worked out by hand."""

import numpy as np
import pytest
import torch

from selfhvd.flow.predictor import Flow, FlowPredictor
from selfhvd.method.align import AlignConfig, align, align_guides
from selfhvd.video.frame_source import ArrayFrames

HEIGHT, WIDTH = 4, 10


class Shift(FlowPredictor):
    """From the grid of the output, sharp content lies 2 pixels to the right; the way back is off by `error`."""

    name = "shift"

    def __init__(self, error: float = 0.0) -> None:
        self.error, self.calls = error, []

    def __call__(self, first, second):
        # The sharp frame of these tests is the brighter one.
        forward = bool(second.mean() > first.mean())
        self.calls.append(forward)
        field = torch.zeros(1, 2, HEIGHT, WIDTH)
        field[:, 0] = 2.0 if forward else -2.0 + self.error
        return Flow(field, torch.full((1, 1, HEIGHT, WIDTH), 0.5 if forward else 0.8))


def columns() -> torch.Tensor:
    """A sharp frame whose value tells the column: 0.50, 0.55, ..."""
    return (0.5 + 0.05 * torch.arange(WIDTH, dtype=torch.float32)).expand(1, 3, HEIGHT, WIDTH)


OUTPUT = torch.zeros(1, 3, HEIGHT, WIDTH)


def test_image_mask_and_share():
    aligned = align(OUTPUT, columns(), Shift())
    torch.testing.assert_close(aligned.image[..., :8], columns()[..., 2:], atol=1e-5, rtol=0)
    assert aligned.image[..., 8:].abs().max() < 1e-5
    torch.testing.assert_close(aligned.mask[..., :8], torch.full((1, 1, HEIGHT, 8), 0.4), atol=1e-5, rtol=0)
    assert aligned.mask[..., 8:].abs().max() == 0
    # Uncertainty does not count towards p.
    assert aligned.seen.mean().item() == pytest.approx(0.8, abs=1e-5)


def test_occlusion_lowers_mask_and_share():
    """The round trip is 1 pixel off: 1 - 0.2 on eight columns of ten."""
    aligned = align(OUTPUT, columns(), Shift(error=1.0))
    torch.testing.assert_close(aligned.mask[..., :8], torch.full((1, 1, HEIGHT, 8), 0.32), atol=1e-5, rtol=0)
    assert aligned.seen.mean().item() == pytest.approx(0.64, abs=1e-5)


def test_masks_can_be_switched_off():
    no_occlusion = align(OUTPUT, columns(), Shift(error=1.0), AlignConfig(use_occlusion=False))
    assert no_occlusion.seen.mean().item() == pytest.approx(0.8)
    assert no_occlusion.mask[0, 0, 0, 0].item() == pytest.approx(0.4, abs=1e-5)
    in_frame_only = align(OUTPUT, columns(), Shift(), AlignConfig(use_occlusion=False, use_uncertainty=False))
    assert in_frame_only.mask[0, 0, 0].tolist() == [1] * 8 + [0] * 2


def test_guides_that_are_not_there_have_no_trust():
    frames = ArrayFrames([np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.full((HEIGHT, WIDTH, 3), 200, np.uint8)])
    predictor = Shift()
    guides = align_guides(OUTPUT[0], frames, (-1, 1, -1), predictor)
    assert guides.images.shape == (3, 3, HEIGHT, WIDTH)
    assert guides.trust[0].abs().max() == 0 == guides.trust[2].abs().max()
    assert guides.trust[1, 0, :, :8].min() > 0.39
    assert [float(seen.mean()) for seen in guides.seen] == pytest.approx([0.0, 0.8, 0.0], abs=1e-5)
    assert guides.images[1, :, :, :8].min().item() == pytest.approx(200 / 255, abs=1e-5)
    assert predictor.calls == [True, False]


@pytest.mark.parametrize("config", [AlignConfig(longest=90), AlignConfig(resolution=0.5)])
def test_large_frames_are_searched_small_and_told_in_full_pixels(config):
    """At half size the flow is half as long; the label must still land where the output is."""
    wide = torch.nn.functional.interpolate(torch.rand(1, 3, 40, 60), size=(160, 240), mode="bicubic").clamp(0, 1)
    output, sharp = wide[..., 20:140, 20:200], wide[..., 14:134, 12:192]
    seen: list[tuple[int, ...]] = []

    class Known(FlowPredictor):
        name = "known"

        def __call__(self, first, second):
            seen.append(tuple(first.shape[-2:]))
            sign = 1.0 if len(seen) == 1 else -1.0
            field = torch.stack([torch.full(first.shape[-2:], 4.0), torch.full(first.shape[-2:], 3.0)])[None] * sign
            return Flow(field, torch.ones(1, 1, *first.shape[-2:]))

    aligned = align(output, sharp, Known(), config)
    assert seen == [(60, 90), (60, 90)]
    assert (aligned.image - output)[..., 10:-10, 10:-10].abs().max() < 1e-3
    assert aligned.mask.shape[-2:] == (120, 180) and aligned.mask[..., 20:-20, 20:-20].min() > 0.99
