"""What flows by networks share: sizes, units, direction, device; shown with searches that are known."""

import cv2
import pytest
import torch
from torch import nn

from selfhvd.flow import Dis, Flow, SeaRaft, SeaRaftConfig, SeaRaftFlow
from selfhvd.flow.network import NetworkFlow, cropped, margins, padded
from selfhvd.flow.searaft import Mixture
from selfhvd.method.masks import in_frame, occlusion
from selfhvd.ops.warp import warp


class Known(NetworkFlow):
    """Finds the same motion everywhere, in pixels of the searched size, and is 0.25 sure."""

    name = "known"
    least_side = 128

    def __init__(self, x: float, y: float) -> None:
        super().__init__(nn.Linear(1, 1))
        self.motion = torch.tensor([x, y]).view(1, 2, 1, 1)
        self.searched: list[torch.Tensor] = []

    def search(self, first, second):
        self.searched += [first, second]
        field = self.motion * torch.ones(len(first), 1, *first.shape[-2:])
        return Flow(field, torch.full_like(field[:, :1], 0.25))


class KnownByDis(NetworkFlow):
    """A search that truly searches."""

    name = "by dis"
    least_side = 128

    def __init__(self) -> None:
        super().__init__(nn.Linear(1, 1))
        self.dis = Dis()

    def search(self, first, second):
        return self.dis(first, second)


@pytest.mark.parametrize(
    ("size", "searched", "wanted"),
    [
        ((128, 200), (128, 200), (8.0, -4.0)),
        ((64, 256), (128, 256), (8.0, -2.0)),  # twice as high: half the pixels down
        ((256, 32), (256, 128), (2.0, -4.0)),
        ((1, 1), (128, 128), (8 / 128, -4 / 128)),
    ],
)
def test_small_frames_are_enlarged_and_the_flow_counts_their_own_pixels(size, searched, wanted):
    known = Known(8.0, -4.0)
    flow = known(torch.rand(2, 3, *size), torch.rand(2, 3, *size))
    assert all(image.shape == (2, 3, *searched) for image in known.searched)
    torch.testing.assert_close(flow.field, torch.tensor(wanted).view(1, 2, 1, 1).expand(2, 2, *size))
    assert flow.certainty.shape == (2, 1, *size) and flow.certainty.eq(0.25).all()


def test_frames_of_a_fitting_size_reach_the_search_as_they_are():
    known = Known(0.0, 0.0)
    first, second = torch.rand(1, 3, 130, 141), torch.rand(1, 3, 130, 141)
    known(first, second)
    assert torch.equal(known.searched[0], first) and torch.equal(known.searched[1], second)


def test_both_searches_each_way():
    known = Known(1.0, 2.0)
    first, second = torch.rand(1, 3, 128, 128), torch.rand(1, 3, 128, 128)
    known.both(first, second)
    assert len(known.searched) == 4
    assert all(torch.equal(a, b) for a, b in zip(known.searched, (first, second, second, first), strict=True))


def test_network_is_switched_to_evaluation_and_no_gradient_flows():
    known = Known(1.0, 2.0)
    assert not known.network.training and not any(p.requires_grad for p in known.network.parameters())
    images = torch.rand(1, 3, 128, 128, requires_grad=True)
    known.motion = nn.Parameter(known.motion)
    assert not known(images, images).field.requires_grad
    assert not any(flow.field.requires_grad for flow in known.both(images, images))


def test_the_network_s_precision_is_used_and_the_images_given_back():
    known = Known(1.0, 2.0)
    known.network.double()
    flow = known(torch.rand(1, 3, 128, 128), torch.rand(1, 3, 128, 128))
    assert known.searched[0].dtype == torch.float64 and flow.field.dtype == flow.certainty.dtype == torch.float32


def test_direction_and_units_through_warp_and_masks(photo):
    """Frames too small for the search: what first shows at p, second shows at p + (2, -1), and back."""
    small = cv2.resize(photo, (128, 128), interpolation=cv2.INTER_AREA)
    whole = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
    first, second = whole[..., 30:70, 40:100], whole[..., 31:71, 38:98]
    there, back = KnownByDis().both(first, second)
    inner = (..., slice(6, -6), slice(6, -6))
    assert (there.field[inner] - torch.tensor([2.0, -1]).view(1, 2, 1, 1)).abs().median() < 0.2
    assert (warp(second, there.field) - first)[inner].abs().mean() < 0.02
    assert occlusion(there.field, back.field, 0.2)[inner].mean() > 0.9
    assert in_frame(there.field)[inner].mean() == 1
    # The wrong way round it does not come back.
    assert occlusion(there.field, there.field, 0.2)[inner].mean() < 0.5


@pytest.mark.parametrize(
    ("size", "around"), [((130, 156), (2, 2, 3, 3)), ((128, 128), (0, 0, 0, 0)), ((129, 133), (1, 2, 3, 4))]
)
def test_margins_lie_around_the_image(size, around):
    assert margins(*size) == around
    image = torch.rand(1, 2, *size)
    more = padded(image, around)
    assert more.shape[-2] % 8 == 0 and more.shape[-1] % 8 == 0
    assert torch.equal(more[..., around[2], around[0]], image[..., 0, 0])
    assert torch.equal(more[..., -1, -1], image[..., -1, -1])
    assert torch.equal(cropped(more, around), image)


class KnownMixture(SeaRaft):
    """A SEA-RAFT that knows: flow (2, 6) there, (-2, -6) back, and half of 2 as its heat."""

    def forward(self, first, second):
        size = first.shape[-2:]
        assert min(size) >= 128 / 2**self.config.scale
        flow = torch.tensor([2.0, 6]).view(1, 2, 1, 1).expand(len(first), 2, *size)
        return Mixture(flow, torch.tensor([0.0, 0, 2, 0]).view(1, 4, 1, 1).expand(len(first), 4, *size))

    def both(self, first, second):
        there = self(first, second)
        return there, Mixture(-there.flow, there.info)


@pytest.mark.parametrize(("scale", "wanted"), [(0, (1.0, 6.0)), (-1, (0.5, 3.0))])
def test_searaft_s_mixture_becomes_flow_and_certainty(scale, wanted):
    flows = SeaRaftFlow(KnownMixture(SeaRaftConfig(size="s", scale=scale)))
    images = torch.rand(1, 3, 128, 64)
    there, back = flows.both(images, images)
    torch.testing.assert_close(there.field[0, :, 5, 5], torch.tensor(wanted))
    torch.testing.assert_close(back.field[0, :, 5, 5], -torch.tensor(wanted))
    torch.testing.assert_close(there.certainty[0, 0, 5, 5], 1 - 1 / torch.tensor(5.0).log())
    torch.testing.assert_close(flows(images, images).field, there.field)


def test_names():
    assert SeaRaftFlow(SeaRaft(SeaRaftConfig(size="s"))).name == "sea-raft-s"
    assert SeaRaftFlow(SeaRaft()).name == "sea-raft-m"


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (121, 150)])
def test_untrained_searaft_gives_numbers_in_range(size):
    torch.manual_seed(0)
    flows = SeaRaftFlow(SeaRaft(SeaRaftConfig(size="s", iterations=1)))
    first, second = torch.rand(2, 1, 3, *size).unbind(0)
    for flow in (*flows.both(first, second), flows(0 * first, 0 * second)):
        assert flow.field.shape == (1, 2, *size) and flow.certainty.shape == (1, 1, *size)
        assert flow.field.isfinite().all()
        assert flow.certainty.min() >= 0 and flow.certainty.max() <= 1
