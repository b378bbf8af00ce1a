"""Weights files: what is saved comes back; what is damaged is refused with a sentence."""

import json

import pytest
import torch
from safetensors.torch import save_file

from selfhvd.backbones import Lite, LiteConfig
from selfhvd.errors import WeightsError
from selfhvd.weights import BASE_WEIGHTS, load_weights, save_weights

SMALL = LiteConfig(widths=(8, 12, 16), blocks=(1, 2, 1))


@pytest.fixture
def network() -> Lite:
    torch.manual_seed(0)
    made = Lite(SMALL)
    torch.nn.init.normal_(made.tail.weight)
    return made


@pytest.fixture
def path(tmp_path, network):
    save_weights(tmp_path / "lite.safetensors", network, "lite", {"steps": "12"})
    return tmp_path / "lite.safetensors"


def refused(path, *words: str) -> None:
    with pytest.raises(WeightsError) as caught:
        load_weights(path)
    assert caught.value.exit_code == 6
    assert str(path) in str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_round_trip(path, network):
    loaded = load_weights(path)
    assert isinstance(loaded, Lite) and loaded.config == SMALL and not loaded.training
    assert loaded.state_dict().keys() == network.state_dict().keys()
    assert all(torch.equal(loaded.state_dict()[k], v) for k, v in network.state_dict().items())
    clip = torch.rand(1, 1, 3, 16, 8)
    assert torch.equal(loaded(clip), network.eval()(clip))


def test_nothing_is_left_beside_the_file(path):
    assert [p.name for p in path.parent.iterdir()] == ["lite.safetensors"]


def test_a_file_is_replaced(path, network):
    with torch.no_grad():
        network.tail.bias.fill_(3)
    save_weights(path, network, "lite")
    assert load_weights(path).tail.bias.eq(3).all()


def test_missing(tmp_path):
    refused(tmp_path / "no.safetensors", "There is no weights file at", "check the path")


def test_a_folder_is_no_file(tmp_path):
    refused(tmp_path, "There is no weights file at")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path, "is not a weights file")


def test_garbage(tmp_path):
    path = tmp_path / "picture.safetensors"
    path.write_bytes(bytes(range(256)) * 40)
    refused(path, "is not a weights file")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite(path, network, value):
    with torch.no_grad():
        network.head.weight[0, 0, 0, 0] = value
    save_weights(path, network, "lite")
    refused(path, "not finite", "head.weight")


def written(tmp_path, network, **metadata: str):
    path = tmp_path / "other.safetensors"
    state = {k: v.clone() for k, v in network.state_dict().items()}
    save_file(state, path, metadata=metadata or None)
    return path


def test_unknown_network(tmp_path, network):
    refused(written(tmp_path, network, backbone="huge", config="{}"), "of a network known here", "huge")


def test_foreign_file_without_a_name(tmp_path, network):
    refused(written(tmp_path, network), "of a network known here")


def test_tensors_of_another_size(tmp_path, network):
    config = json.dumps({"name": "lite", "widths": [8, 12, 24], "blocks": [1, 2, 1]})
    refused(written(tmp_path, network, backbone="lite", config=config), "size mismatch")


def test_unknown_setting(tmp_path, network):
    refused(written(tmp_path, network, backbone="lite", config='{"depth": 3}'), "depth")


@pytest.mark.parametrize("config", ["", "{", "3 4"])
def test_damaged_configuration(tmp_path, network, config):
    refused(written(tmp_path, network, backbone="lite", config=config), "is not a weights file")


@pytest.mark.parametrize("config", ["[]", "7"])
def test_configuration_that_is_no_table(tmp_path, network, config):
    refused(written(tmp_path, network, backbone="lite", config=config), "is not a weights file")


def test_half_precision_files_load_as_float32(tmp_path, network):
    path = tmp_path / "half.safetensors"
    config = json.dumps({"widths": SMALL.widths, "blocks": SMALL.blocks})
    state = {k: v.half() for k, v in network.state_dict().items()}
    save_file(state, path, metadata={"backbone": "lite", "config": config})
    assert {p.dtype for p in load_weights(path).parameters()} == {torch.float32}


def test_shipped_weights_load():
    assert load_weights(BASE_WEIGHTS).needs.guides == 2
