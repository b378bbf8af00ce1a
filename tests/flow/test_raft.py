"""RAFT's wrapper: torchvision's network, its input, its padding."""

import pytest
import torch
from torchvision.models.optical_flow import raft_large

from golden import golden
from selfhvd.flow import Raft, RaftConfig, RaftFlow
from selfhvd.ops.grid import pixel_grid


class Recorder(Raft):
    """Remembers what it is asked; its flow is the place of each pixel, after one of zeros."""

    def forward(self, first, second):
        self.seen = first, second
        grid = pixel_grid(*first.shape[-2:], like=first)[None].expand(len(first), -1, -1, -1)
        return [0 * grid, grid]


def test_is_torchvision_s_network():
    """Its file loads, and its flow is its flow."""
    torch.manual_seed(0)
    whole, network = raft_large(weights=None).eval(), Raft(RaftConfig(iterations=2))
    assert list(network.state_dict()) == list(whole.state_dict())
    network.load_state_dict(whole.state_dict())
    first, second = torch.rand(2, 1, 3, 128, 136).unbind(0)
    flow = RaftFlow(network)(first, second)
    with torch.no_grad():
        torch.testing.assert_close(flow.field, whole(2 * first - 1, 2 * second - 1, num_flow_updates=2)[-1])
    assert flow.certainty.eq(1).all() and flow.certainty.shape == (1, 1, 128, 136)


def test_padding_range_and_cropping():
    """130 x 156 lies in 136 x 160, three pixels down and two to the right."""
    network = Recorder()
    first, second = torch.rand(2, 2, 3, 130, 156).unbind(0)
    flow = RaftFlow(network)(first, second)
    a, b = network.seen
    assert a.shape == (2, 3, 136, 160)
    torch.testing.assert_close(a[..., 3:133, 2:158], 2 * first - 1)
    torch.testing.assert_close(b[..., 3:133, 2:158], 2 * second - 1)
    wanted = pixel_grid(130, 156, like=first) + torch.tensor([2.0, 3]).view(2, 1, 1)
    torch.testing.assert_close(flow.field, wanted.expand(2, -1, -1, -1))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (127, 129)])
def test_tiny_frames(size):
    torch.manual_seed(0)
    flow = RaftFlow(Raft(RaftConfig(iterations=1)))(*torch.rand(2, 1, 3, *size).unbind(0))
    assert flow.field.shape == (1, 2, *size) and flow.field.isfinite().all()
    assert flow.certainty.eq(1).all()


def test_recognised_by_its_official_names():
    shapes = {key: tuple(value.shape) for key, value in raft_large(weights=None).state_dict().items()}
    assert Raft.recognised(shapes) == RaftConfig()
    assert Raft.recognised({k: v for k, v in shapes.items() if k != "mask_predictor.conv.bias"}) is None
    assert Raft.recognised(golden("searaft_m").shapes) is None
