"""Every network of the table keeps the promises of `Backbone`."""

import pytest
import torch

from selfhvd.backbones import BACKBONES, Backbone, Lite
from selfhvd.weights import load_weights, save_weights


@pytest.fixture(params=BACKBONES)
def name(request) -> str:
    return request.param


@pytest.fixture
def network(name) -> Backbone:
    torch.manual_seed(0)
    config, made = BACKBONES[name]
    return made(config())


def clip(network: Backbone, height: int, width: int, frames: int = 1, batch: int = 1, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    guides = network.needs.guides
    return (
        torch.rand(batch, frames, 3, height, width, generator=generator),
        torch.rand(batch, frames, guides, 3, height, width, generator=generator),
        torch.rand(batch, frames, guides, 1, height, width, generator=generator),
    )


def trained_a_little(network: Backbone) -> Backbone:
    """Away from the zeros of the last layer."""
    optimiser = torch.optim.SGD(network.parameters(), lr=0.5)
    inputs = clip(network, 32, 32)
    (network(*inputs) - inputs[1][:, :, 0]).square().mean().backward()
    optimiser.step()
    optimiser.zero_grad()
    return network


def test_starts_as_the_identity(network):
    inputs = clip(network, 32, 48, frames=2)
    with torch.no_grad():
        assert torch.equal(network(*inputs), inputs[0])
        assert torch.equal(network(inputs[0]), inputs[0])


@pytest.mark.parametrize("factor", [(1, 1), (2, 5), (4, 1)])
def test_keeps_the_shape_of_every_allowed_size(network, factor):
    height, width = (f * network.needs.multiple_of for f in factor)
    inputs = clip(trained_a_little(network), height, width, frames=3, batch=2)
    with torch.no_grad():
        output = network(*inputs)
    assert output.shape == inputs[0].shape and output.dtype == torch.float32
    assert output.isfinite().all() and not torch.equal(output, inputs[0])


def test_works_without_guides(network):
    """As with guides that nobody trusts."""
    frames, guides, trust = clip(trained_a_little(network), 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(network(frames), network(frames, guides, torch.zeros_like(trust)))
        assert not torch.equal(network(frames), network(frames, guides, trust))


def test_gradient_reaches_every_parameter(network):
    trained_a_little(network)
    inputs = clip(network, 32, 32, seed=1)
    (network(*inputs) - inputs[1][:, :, 0]).square().mean().backward()
    dead = [key for key, p in network.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert not dead


def test_is_deterministic(network):
    inputs = clip(trained_a_little(network), 16, 24)
    with torch.no_grad():
        assert torch.equal(network(*inputs), network(*inputs))


def test_items_of_a_batch_do_not_mix(network):
    inputs = clip(trained_a_little(network), 16, 16, batch=2)
    with torch.no_grad():
        both, second = network(*inputs), network(*(x[1:] for x in inputs))
    torch.testing.assert_close(both[1:], second, atol=1e-5, rtol=1e-4)


def test_is_small(network):
    assert sum(p.numel() for p in network.parameters()) <= 1_500_000


def test_weights_round_trip(tmp_path, name, network):
    trained_a_little(network)
    save_weights(tmp_path / "network.safetensors", network, name)
    loaded = load_weights(tmp_path / "network.safetensors")
    inputs = clip(network, 16, 16)
    with torch.no_grad():
        assert torch.equal(loaded(*inputs), network.eval()(*inputs))


def test_lite_blends_the_guides_as_its_weights_say():
    """With a bias alone: out = B + 0.1 + 0.5 · M_0 · (G_0 - B) + 0.25 · M_1 · (G_1 - B)."""
    network = Lite()
    with torch.no_grad():
        network.tail.bias.copy_(torch.tensor([0.1] * 3 + [0.5, 0.25]).repeat_interleave(4))
    frames, guides, trust = clip(network, 8, 16, frames=2)
    clues = trust * (guides - frames[:, :, None])
    with torch.no_grad():
        torch.testing.assert_close(
            network(frames, guides, trust), frames + 0.1 + 0.5 * clues[:, :, 0] + 0.25 * clues[:, :, 1]
        )
