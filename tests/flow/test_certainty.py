"""U of Eq. 4 from a mixture, by hand."""

import math

import pytest
import torch

from selfhvd.flow.certainty import CertaintyConfig, certainty, heat


def mixture(logit: float, other_logit: float, scale: float, other_scale: float) -> torch.Tensor:
    return torch.tensor([logit, other_logit, scale, other_scale]).view(1, 4, 1, 1)


@pytest.mark.parametrize(
    ("info", "wanted"),
    [
        ((0.0, 0.0, 2.0, 5.0), 1.0),  # half of 2; the second scale is held to 0
        ((math.log(3), 0.0, 4.0, 0.0), 3.0),  # three quarters of 4
        ((0.0, 0.0, -3.0, 0.0), 0.0),
        ((50.0, 0.0, 99.0, 0.0), 10.0),
    ],
)
def test_heat(info, wanted):
    assert heat(mixture(*info), 0.0, 10.0).item() == pytest.approx(wanted, abs=1e-5)


def test_second_scale_counts_where_it_may_be_negative():
    assert heat(mixture(0, 0, 2, -1.5), -4.0, 10.0).item() == pytest.approx(0.25)


def test_fixed_scale():
    """All is lost where the error has a scale of 5 pixels; half of it, in logarithms, at the square root of 5."""
    hot = torch.tensor([-1.0, 0, math.log(5) / 2, math.log(5), 9]).view(1, 1, 1, 5)
    torch.testing.assert_close(certainty(hot).flatten(), torch.tensor([1.0, 1, 0.5, 0, 0]))
    stricter = certainty(hot, CertaintyConfig(lost_at=math.sqrt(5)))
    torch.testing.assert_close(stricter.flatten(), torch.tensor([1.0, 1, 0, 0, 0]))


def test_per_image_is_binary_and_each_image_for_itself():
    hot = torch.tensor([[0.0, 1, 2.1, 4], [0, 0.1, 0.25, 0.4]]).view(2, 1, 1, 4)
    sure = certainty(hot, CertaintyConfig(scale="per-image"))
    assert sure[:, 0, 0].tolist() == [[1, 1, 0, 0], [1, 1, 0, 0]]


def test_what_the_fixed_scale_is_for():
    """A flow that is good everywhere keeps every pixel, where the per-image scale loses its worse half."""
    hot = torch.linspace(0, 0.1, 100).view(1, 1, 10, 10)
    assert certainty(hot).min() > 0.9
    assert certainty(hot, CertaintyConfig(scale="per-image")).mean() == 0.5


def test_an_even_heat_is_sure_per_image():
    assert certainty(torch.full((1, 1, 3, 4), 7.0), CertaintyConfig(scale="per-image")).min() == 1
