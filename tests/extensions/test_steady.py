"""Steadiness: what flickers is averaged, what differs or is blurred is left alone."""

import pytest
import torch

from selfhvd.extensions.deflicker import steadied
from selfhvd.method.align import Aligned


def beside(image, trust: float = 1.0) -> Aligned:
    ones = torch.ones(1, 1, *image.shape[-2:])
    return Aligned(image[None], trust * ones, ones, ones)


def noise(seed: int, height: int = 40, width: int = 50) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def blurred(image: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(image[None], 5, 1, 2, count_include_pad=False)[0]


def test_alone_a_frame_stays():
    image = noise(0)
    assert torch.equal(steadied(image, (), 0.25), image)
    torch.testing.assert_close(steadied(image, [beside(noise(1), 0.0)] * 2, 0.25), image)


def test_each_neighbour_gives_its_share():
    """Level grey, so that all three are alike: a quarter each of 0.51 and 0.49, a half of 0.50."""
    middle, before, after = (torch.full((3, 20, 30), value) for value in (0.50, 0.51, 0.49))
    torch.testing.assert_close(steadied(middle, [beside(before), beside(after)], 0.25), middle, atol=1e-4, rtol=0)
    both = steadied(middle, [beside(before), beside(before)], 0.25)
    torch.testing.assert_close(both, torch.full_like(both, 0.505), atol=1e-4, rtol=0)


def test_noise_goes_down():
    truth = blurred(noise(0))
    frames = [truth + 0.02 * (noise(n) - 0.5) for n in (1, 2, 3)]
    after = steadied(frames[1], [beside(frames[0]), beside(frames[2])], 0.3)
    assert (after - truth).square().mean() < 0.5 * (frames[1] - truth).square().mean()


def test_what_is_only_in_the_neighbour_leaves_no_ghost():
    image = blurred(noise(0)) * 0.3
    other = image.clone()
    other[:, 10:20, 10:20] = 1.0
    assert (steadied(image, [beside(other)] * 2, 0.25) - image).abs()[:, 12:18, 12:18].max() < 0.01


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_the_one_with_more_detail_counts_for_more(share):
    sharp = 0.4 + 0.1 * noise(0)
    soft = blurred(sharp)
    taken = steadied(soft, [beside(sharp)] * 2, share)
    given = steadied(sharp, [beside(soft)] * 2, share)
    assert (taken - soft).abs().mean() > 2 * share * 1.3 * (sharp - soft).abs().mean()
    assert (given - sharp).abs().mean() < 2 * share * 0.7 * (sharp - soft).abs().mean()


def test_detail_that_the_mean_loses_is_given_back():
    """Both neighbours lie half a pixel off, as interpolation would leave them."""
    image = 0.4 + 0.2 * blurred(noise(0))
    off = [beside((image + image.roll(by, -1)) / 2) for by in (1, -1)]
    mean = (image + off[0].image[0] + off[1].image[0]) / 3
    kept, without = (part[:, 4:-4, 4:-4].diff(dim=-1).square().mean() for part in (steadied(image, off, 1 / 3), mean))
    assert without < kept <= 1.02 * image[:, 4:-4, 4:-4].diff(dim=-1).square().mean()


@pytest.mark.parametrize("sharp", [False, True])
def test_on_a_bare_wall_of_a_noisy_clip_the_mask_does_not_count(sharp):
    wall = [0.3 + 0.01 * (noise(n) - 0.5) for n in (1, 2, 3)]
    beside_it = [beside(wall[n], trust=0.0) for n in (0, 2)]
    assert torch.equal(steadied(wall[1], beside_it, 0.3), wall[1])
    after = steadied(wall[1], beside_it, 0.3, noise=1.0, sharp=sharp)
    assert (after - 0.3).square().mean() < 0.2 * (wall[1] - 0.3).square().mean()


def test_a_sharp_frame_of_a_noisy_clip_takes_nothing_where_there_is_detail():
    sharp = noise(0)
    others = [beside(sharp + 0.05 * (noise(n) - 0.5)) for n in (1, 2)]
    torch.testing.assert_close(steadied(sharp, others, 0.3, noise=1.0, sharp=True), sharp, atol=1e-3, rtol=0)
    assert (steadied(sharp, others, 0.3, noise=1.0) - sharp).abs().max() > 0.01


def test_before_a_bare_wall_of_a_noisy_clip_things_stay():
    wall = [0.3 + 0.01 * (noise(n) - 0.5) for n in (1, 2, 3)]
    for image in wall:
        image[:, :, 25:] = 0.4 + 0.4 * (noise(4)[:, :, 25:] - 0.5)
    after = steadied(wall[1], [beside(wall[n], trust=0.0) for n in (0, 2)], 0.3, noise=1.0)
    assert (after - 0.3)[:, :, :16].square().mean() < 0.2 * (wall[1] - 0.3)[:, :, :16].square().mean()
    torch.testing.assert_close(after[:, :, 34:], wall[1][:, :, 34:], atol=1e-3, rtol=0)


def test_grain_of_a_wall_that_comes_again_is_no_noise():
    wall = 0.3 + 0.01 * (noise(1) - 0.5)
    torch.testing.assert_close(steadied(wall, [beside(wall)] * 2, 0.3, noise=1.0), wall, atol=1e-5, rtol=0)
    assert torch.equal(steadied(wall, (), 0.3, noise=1.0), wall)


def test_detail_is_nothing_that_a_mask_may_be_ignored_for():
    sharp = noise(0)
    others = [beside(sharp.roll(by, -1), trust=0.0) for by in (2, -2)]
    torch.testing.assert_close(steadied(sharp, others, 0.3, noise=1.0), sharp, atol=1e-3, rtol=0)


def test_nothing_is_taken_from_beyond_the_frame():
    wall = torch.full((3, 20, 30), 0.05)
    outside = Aligned(
        torch.zeros(1, 3, 20, 30), torch.zeros(1, 1, 20, 30), torch.zeros(1, 1, 20, 30), torch.ones(1, 1, 20, 30)
    )
    torch.testing.assert_close(steadied(wall, [outside], 0.3, noise=1.0), wall)
