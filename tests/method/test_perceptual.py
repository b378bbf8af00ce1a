"""The perceptual loss with random weights; off, and said so, where there are none."""

import logging

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models.vgg import cfgs, make_layers

from selfhvd.errors import WeightsError
from selfhvd.method.perceptual import Perceptual, find_perceptual, vgg_path


@pytest.fixture(scope="module")
def small_vgg():
    """VGG19's layers with a sixteenth of its channels."""
    return [c if c == "M" else c // 16 for c in cfgs["E"]]


@pytest.fixture(scope="module")
def weights(tmp_path_factory, small_vgg):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "vgg19.safetensors"
    save_file({f"features.{k}": v for k, v in make_layers(small_vgg).state_dict().items()}, path)
    return path


@pytest.fixture(autouse=True)
def no_large_network(monkeypatch, small_vgg):
    """The classifier alone would take half a gigabyte."""
    monkeypatch.setitem(cfgs, "E", small_vgg)


def test_distance(weights):
    loss = Perceptual(weights)
    images = torch.rand(2, 3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert loss(images, images).abs().max() == 0
    distance = loss(images, 1 - images)
    assert distance.shape == (2, 3) and distance.min() > 0
    torch.testing.assert_close(distance[1, 2], loss(images[1:, 2:], 1 - images[1:, 2:])[0, 0])


def test_ends_with_the_last_convolution(weights):
    assert len(Perceptual(weights).features) == 35
    assert isinstance(Perceptual(weights).features[-1], torch.nn.Conv2d)


def test_weights_are_those_of_the_file_and_frozen(weights):
    loss = Perceptual(weights)
    assert not any(p.requires_grad for p in loss.parameters()) and not loss.training
    assert torch.equal(Perceptual(weights).features[0].weight, loss.features[0].weight)


def test_gradient_reaches_the_output(weights):
    output = torch.rand(1, 1, 3, 32, 32, requires_grad=True)
    Perceptual(weights)(output, torch.rand(1, 1, 3, 32, 32)).sum().backward()
    assert output.grad.abs().max() > 0


def test_found_in_the_cache(weights, monkeypatch):
    monkeypatch.setenv("SELFHVD_CACHE", str(weights.parent))
    assert vgg_path() == weights
    assert isinstance(find_perceptual(), Perceptual)


def test_off_without_weights_in_one_line(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path))
    with caplog.at_level(logging.INFO):
        assert find_perceptual() is None
    (line,) = caplog.messages
    assert line == f"perceptual term off: no VGG weights at {tmp_path / 'vgg19.safetensors'}"


def test_other_weights_are_refused(tmp_path):
    path = tmp_path / "vgg19.safetensors"
    save_file({"features.0.weight": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="does not hold VGG19 features"):
        Perceptual(path)


def test_damaged_weights_are_refused(tmp_path):
    path = tmp_path / "vgg19.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(WeightsError):
        Perceptual(path)
