"""The scalar losses, by hand."""

import pytest
import torch

from selfhvd.method.losses import charbonnier, masked_l1


def image(value: float) -> torch.Tensor:
    return torch.full((3, 4, 6), float(value))


def test_masked_l1_divides_by_the_whole_area():
    """Off by 2 on the half that the mask shows: 1, not 2."""
    mask = torch.zeros(1, 4, 6)
    mask[:, :, :3] = 1
    assert masked_l1(image(3), image(1), mask).item() == 1


def test_masked_l1_is_soft_and_counts_both_signs():
    output = torch.stack([image(1), image(-1), image(0)])
    mask = torch.stack([torch.full((1, 4, 6), m) for m in (0.25, 0.5, 1.0)])
    assert masked_l1(output, torch.zeros(3, 3, 4, 6), mask).tolist() == [0.25, 0.5, 0]


def test_masked_l1_keeps_leading_axes():
    assert masked_l1(torch.zeros(2, 5, 3, 4, 6), torch.ones(2, 5, 3, 4, 6), torch.ones(2, 5, 1, 4, 6)).shape == (2, 5)


def test_empty_mask_is_no_loss():
    assert masked_l1(image(3), image(1), torch.zeros(1, 4, 6)).item() == 0


def test_masked_l1_gradient():
    generator = torch.Generator().manual_seed(0)
    output, target, mask = (
        torch.rand(2, c, 2, 3, dtype=torch.float64, generator=generator, requires_grad=True) for c in (3, 3, 1)
    )
    assert torch.autograd.gradcheck(masked_l1, (output, target, mask))


@pytest.mark.parametrize(("difference", "epsilon", "wanted"), [(0, 1e-3, 1e-3), (3, 4, 5), (-3, 4, 5), (2, 0, 2)])
def test_charbonnier(difference, epsilon, wanted):
    assert charbonnier(image(1 + difference), image(1), float(epsilon)).item() == pytest.approx(wanted)


def test_charbonnier_is_smooth_at_zero():
    output = image(1).double().requires_grad_()
    charbonnier(output, image(1).double()).backward()
    assert output.grad.abs().max() == 0
