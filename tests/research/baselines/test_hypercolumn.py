"""Ren et al.'s network and loss, with a VGG19 of random weights."""

import pytest
import torch
from clip_for_baselines import selection, sliding
from safetensors.torch import save_file
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from selfhvd.errors import WeightsError
from selfhvd.research.baselines.hypercolumn import Columns, FeatureLoss, Hypercolumn, HypercolumnConfig
from selfhvd.research.baselines.ren import RandomBlur, RenConfig


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "vgg19.safetensors"
    save_file({f"features.{k}": v for k, v in make_layers(cfgs["E"]).state_dict().items()}, path)
    return path


@pytest.fixture
def network(weights) -> Hypercolumn:
    torch.manual_seed(0)
    return Hypercolumn(weights, HypercolumnConfig(width=8))


def picture(*size: int) -> torch.Tensor:
    return torch.rand(size, generator=torch.Generator().manual_seed(0))


def test_columns_end_at_the_second_convolution_of_each_part(weights):
    columns = Columns(weights)
    shapes = [tuple(c.shape[1:]) for c in columns(picture(1, 3, 32, 48))]
    assert shapes == [(64, 32, 48), (128, 16, 24), (256, 8, 12), (512, 4, 6), (512, 2, 3)]
    assert isinstance(columns.features[-1], nn.ReLU) and not any(p.requires_grad for p in columns.parameters())
    # Of the first part, by its layers.
    image = picture(1, 3, 32, 48)
    x = (image - columns.mean) / columns.std
    first, _, second = columns.features[:3]
    torch.testing.assert_close(columns(image)[0], second(first(x).relu()).relu())


def test_hypercolumns_begin_with_the_picture(network):
    image = picture(2, 3, 32, 32)
    columns = network.hypercolumns(image)
    assert columns.shape == (2, 1475, 32, 32) and torch.equal(columns[:, :3], image)


def test_starts_as_identity_and_fits_any_size(network):
    clip = picture(1, 2, 3, 19, 37)
    torch.testing.assert_close(network(clip), clip, atol=1e-5, rtol=0)


def test_published_layers(weights):
    whole = Hypercolumn(weights)
    dilations = [m.dilation[0] for m in whole.body.modules() if isinstance(m, nn.Conv2d)]
    assert dilations == [1, 2, 4, 8, 16, 32, 64, 1]
    # 1x1 from 1475 to 64, eight 3x3, a norm of 128 and a mixture of 2 with each, 1x1 to 3.
    assert sum(p.numel() for p in whole.parameters()) == 1475 * 64 + 8 * 9 * 64 * 64 + 9 * (128 + 2) + 64 * 3 + 3


def test_vgg_is_no_part_of_its_weights(network):
    assert not any("features" in name for name in network.state_dict())


def test_the_middle_of_a_picture_is_seen_from_far_away(network):
    """Dilations add up to 128 pixels on each side."""
    _, network_input = network.eval(), picture(1, 1475, 1, 161).requires_grad_()
    network.body(network.squeeze(network_input))[0, 0, 0, 80].backward()
    seen = network_input.grad.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
    assert seen.tolist() == [80]  # the identity
    with torch.no_grad():
        for layer in network.body:
            layer.convolution.weight.fill_(0.01)
    network_input.grad = None
    network.body(network.squeeze(network_input))[0, 0, 0, 80].backward()
    seen = network_input.grad.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
    assert seen.min() == 0 and seen.max() == 160


def test_feature_loss(weights):
    loss = FeatureLoss(weights)
    a, b = picture(2, 3, 32, 32), 1 - picture(2, 3, 32, 32)
    assert loss.distance(a, a).abs().max() == 0
    by_hand = (a - b).abs().mean(dim=(1, 2, 3))
    for weight, x, y in zip(
        (1 / 2.6, 1 / 4.8, 1 / 3.7, 1 / 5.6, 10 / 1.5), loss.columns(a), loss.columns(b), strict=True
    ):
        by_hand = by_hand + weight * (x - y).abs().mean(dim=(1, 2, 3))
    torch.testing.assert_close(loss.distance(a, b), by_hand)


@pytest.mark.slow
def test_training_steps_lower_the_loss(weights, network):
    draw = RandomBlur(sliding(), selection(), RenConfig(crop=32, size=2)).draw
    loss_of, losses = FeatureLoss(weights), []
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    for _ in range(12):
        loss = loss_of(network, draw(0))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.95 * losses[0]


def test_other_weights_are_refused(tmp_path):
    with pytest.raises(WeightsError):
        Columns(tmp_path / "none.safetensors")
