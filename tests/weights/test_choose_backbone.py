"""The network that a run begins with."""

import pytest
import torch

from selfhvd.backbones import BACKBONES
from selfhvd.errors import UsageError, WeightsError
from selfhvd.weights import BASE_WEIGHTS, load_weights, save_weights
from selfhvd.weights.choose_backbone import choose_backbone


def test_the_weights_given_go_before_those_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="No weights for estrnn are at hand; see `selfhvd weights list`, or pray"):
        choose_backbone("estrnn", otherwise="or pray")
    for name, blocks in (("estrnn", 2), ("mine", 3)):
        network = choose_backbone("estrnn", untrained=True, settings={"blocks": blocks})
        save_weights(tmp_path / f"{name}.safetensors", network, "estrnn")
    assert choose_backbone("estrnn").config.blocks == 2
    assert choose_backbone("estrnn", tmp_path / "mine.safetensors").config.blocks == 3


def test_lite_brings_its_own():
    mine, base = choose_backbone("lite").state_dict(), load_weights(BASE_WEIGHTS).state_dict()
    assert all(torch.equal(mine[key], base[key]) for key in base)


@pytest.mark.parametrize("name", BACKBONES)
def test_untrained_networks_are_as_they_are_published(name):
    config, _ = BACKBONES[name]
    network = choose_backbone(name, untrained=True)
    assert network.config == config() and not network.training


def test_an_unknown_name_is_said():
    with pytest.raises(UsageError, match=f"There is no network called vrt; there are {', '.join(BACKBONES)}"):
        choose_backbone("vrt", untrained=True)
