"""Averaged weights (EMA) are preferred over raw ones and it is said; containers and wrapped names are seen through."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from golden.loader import golden
from selfhvd.backbones import EstRnn, EstRnnConfig
from selfhvd.errors import WeightsError
from selfhvd.weights import load_weights, opening, unpickle
from selfhvd.weights.conversion import convert
from selfhvd.weights.facts import read_facts
from selfhvd.weights.layouts import has_averaged, layouts

ROOM = 2**28
RAW, EMA = {"a": torch.zeros(1)}, {"a": torch.ones(1)}


@pytest.fixture
def opened_here(monkeypatch):
    monkeypatch.setattr(opening, "_unpickle", lambda source, out, raw: unpickle.extract(source, out, ROOM, raw))


def estrnn(value: float) -> dict[str, torch.Tensor]:
    network = EstRnn(EstRnnConfig(features=4, blocks=1))
    return {key: torch.full_like(own, value) for key, own in network.state_dict().items()}


def prefixed(state, prefix):
    return {prefix + key: value for key, value in state.items()}


def taken(tmp_path, content, raw=False):
    torch.save(content, tmp_path / "x.pth")
    told = unpickle.extract(tmp_path / "x.pth", tmp_path / "out", ROOM, raw)
    return told, float(load_file(tmp_path / "out")["a"])


BOTH = {
    "params_ema": {"params": RAW, "params_ema": EMA},
    "state_dict_ema": {"state_dict": RAW, "state_dict_ema": EMA, "epoch": 3, "arch": "x"},
    "ema": {"net_g": RAW, "ema": EMA},
    "model_ema": {"model": RAW, "model_ema": EMA},
    "generator_ema": {"generator": RAW, "generator_ema": EMA, "discriminator": {"d": torch.zeros(1)}},
    "ema_state_dict": {"model_state": RAW, "ema_state_dict": EMA, "ema_decay": 0.999},
    "net_g.params_ema": {"net_g": {"params": RAW, "params_ema": EMA}},
    "ema.module.state_dict": {"model_state_dict": RAW, "ema": {"module": {"state_dict": EMA}, "updates": 3}},
}


@pytest.mark.parametrize("way", BOTH)
def test_averaged_weights_are_preferred(tmp_path, way):
    told, value = taken(tmp_path, BOTH[way])
    assert value == 1 and told["averaged"] and told["taken"] == way and told["left"] not in ("", way)
    told, value = taken(tmp_path, BOTH[way], raw=True)
    assert value == 0 and not told["averaged"] and told["left"] == way


@pytest.mark.parametrize(
    "way", ["ema", "state_dict_ema", "params_ema", "net_g", "netG", "generator", "module", "network"]
)
def test_containers_alone(tmp_path, way):
    told, value = taken(tmp_path, {way: EMA, "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}}})
    assert value == 1 and told == {"tensors": 1}


def test_averaged_weights_without_names(tmp_path):
    """As the package torch_ema writes them: a list in the order of the network."""
    told, value = taken(tmp_path, {"state_dict": RAW, "ema": {"decay": 0.9, "shadow_params": [torch.ones(1)]}})
    assert value == 0 and told == {"tensors": 1, "nameless": "ema"}


def test_raw_weights_that_are_not_there(tmp_path):
    torch.save({"params_ema": EMA}, tmp_path / "x.pth")
    told = unpickle.extract(tmp_path / "x.pth", tmp_path / "out", ROOM, raw=True)
    assert told == {"fault": "nothing", "told": "it holds averaged weights only; leave --raw out"}


def test_it_is_said_and_kept(tmp_path, opened_here):
    torch.save({"params": estrnn(0), "params_ema": estrnn(1)}, tmp_path / "x.pth")
    for raw, value, words in (
        (False, 1, "the averaged weights (params_ema) were taken, not the raw ones (params); --raw takes those"),
        (True, 0, "the raw weights (params) were taken, not the averaged ones (params_ema)"),
    ):
        said = []
        convert(tmp_path / "x.pth", tmp_path / "y.safetensors", raw=raw, tell=said.append, overwrite=True)
        assert said == [f"{tmp_path / 'x.pth'}: {words}."]
        assert read_facts(tmp_path / "y.safetensors").notes["chosen"] == words
        assert all((own == value).all() for own in load_weights(tmp_path / "y.safetensors").state_dict().values())


AVERAGED_MODELS = {
    "alone": lambda averaged: averaged,
    "beside": lambda averaged: {"model": estrnn(0), "whatever_model": 3, "swa_model": averaged},
    "as the model": lambda averaged: {"model": averaged, "state_dict": estrnn(0)},
}


@pytest.mark.parametrize("how", AVERAGED_MODELS)
def test_an_averaged_model_of_pytorch(tmp_path, opened_here, how):
    network = EstRnn(EstRnnConfig(features=4, blocks=1))
    network.load_state_dict(estrnn(1))
    torch.save(AVERAGED_MODELS[how](AveragedModel(network).state_dict()), tmp_path / "x.pth")
    assert convert(tmp_path / "x.pth", tmp_path / "y.safetensors") == "estrnn"
    assert all((own == 1).all() for own in load_weights(tmp_path / "y.safetensors").state_dict().values())


NAMES = {
    "mmedit's hook": lambda: {**prefixed(estrnn(0), "generator."), **prefixed(estrnn(1), "generator_ema.")},
    "ema_pytorch": lambda: {
        **prefixed(estrnn(0), "online_model."),
        **prefixed(estrnn(1), "ema_model."),
        "initted": torch.ones(1),
        "step": torch.ones(1),
    },
    "a wrapper of both": lambda: {**prefixed(estrnn(0), "module.net."), **prefixed(estrnn(1), "module.net_ema.")},
}


@pytest.mark.slow
@pytest.mark.parametrize("as_safetensors", [False, True])
@pytest.mark.parametrize("how", NAMES)
def test_both_by_the_names_of_tensors(tmp_path, opened_here, how, as_safetensors):
    source = tmp_path / ("x.safetensors" if as_safetensors else "x.pth")
    (save_file if as_safetensors else torch.save)(NAMES[how](), source)
    for raw, value, words in ((False, 1, "the averaged weights were taken"), (True, 0, "the raw weights were taken")):
        said = []
        convert(source, tmp_path / "y.safetensors", raw=raw, tell=said.append, overwrite=True)
        assert len(said) == 1 and words in said[0]
        assert all((own == value).all() for own in load_weights(tmp_path / "y.safetensors").state_dict().values())


def test_averaged_by_name_but_of_no_network(tmp_path, opened_here):
    """As latent diffusion's LitEma, which takes the dots out of the names."""
    mangled = {f"model_ema.{key.replace('.', '')}": value for key, value in estrnn(1).items()}
    torch.save({**prefixed(estrnn(0), "model."), **mangled}, tmp_path / "x.pth")
    said = []
    convert(tmp_path / "x.pth", tmp_path / "y.safetensors", tell=said.append)
    assert "the raw weights were taken, since the averaged ones beside them are of no network known here" in said[0]


def test_only_averaged_by_name(tmp_path, opened_here):
    torch.save(prefixed(estrnn(1), "generator_ema."), tmp_path / "x.pth")
    convert(tmp_path / "x.pth", tmp_path / "y.safetensors")
    with pytest.raises(WeightsError, match="averaged weights only; leave --raw out"):
        convert(tmp_path / "x.pth", tmp_path / "z.safetensors", raw=True)


PREFIXES = [
    *("_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "net.", "network.", "net_g.", "netG."),
    *("module.net.", "model.network._orig_mod.", "_fsdp_wrapped_module.", "module.model._orig_mod.module."),
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_wrapped_names(prefix):
    assert next(layouts({f"{prefix}cell.weight": 1, f"{prefix}recons.model.0.bias": 2})) == {
        "cell.weight": 1,
        "recons.model.0.bias": 2,
    }


@pytest.mark.slow
def test_a_compiled_part_of_a_network():
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    network[0] = torch.compile(network[0])
    assert next(layouts(network.state_dict())).keys() == {"0.weight", "0.bias"}


def test_names_that_only_look_wrapped_stay():
    for name in ("a.my_orig_mod.weight", "x.module.weight", "net.0.weight"):
        assert name in next(layouts({name: 1, "tail.weight": 2}))


@pytest.mark.parametrize("name", ["basicvsrpp_c16n2", "estrnn_c40b3", "ifirnn_c2h3", "rvrt_deblur", "searaft_s"])
def test_no_network_here_looks_averaged_or_wrapped(name):
    state = {key.name: 1 for key in golden(name).keys}
    assert not has_averaged(state) and next(layouts(state)) == state


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(tmp_path, opened_here, kind):
    torch.save({key: value.to(kind) for key, value in estrnn(0.5).items()}, tmp_path / "x.pth")
    convert(tmp_path / "x.pth", tmp_path / "y.safetensors")
    own = load_weights(tmp_path / "y.safetensors").state_dict()
    assert all(value.dtype == torch.float32 and (value == 0.5).all() for value in own.values())
