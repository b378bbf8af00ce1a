"""Official layouts become weights files of ours: names, wrappers, containers, options; anything else is refused."""

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import vgg19
from torchvision.models.optical_flow import raft_large

from golden.loader import golden
from selfhvd.backbones import BasicVsrPp, BasicVsrPpConfig
from selfhvd.backbones.spynet import SpyNet
from selfhvd.errors import OutputError, UsageError, WeightsError
from selfhvd.method.perceptual import Perceptual
from selfhvd.weights import load_flow, load_weights, opening, unpickle
from selfhvd.weights.conversion import convert
from selfhvd.weights.facts import read_facts
from selfhvd.weights.give_flow import give_flow
from selfhvd.weights.layouts import layouts


@pytest.fixture(autouse=True)
def opened_here(monkeypatch):
    """Files are opened in this process, since a process of its own takes seconds; `test_unpickle` has those."""

    def extract(source, target, raw):
        told = unpickle.extract(source, target, 2**32, raw)
        assert "tensors" in told
        return told

    monkeypatch.setattr(opening, "_unpickle", extract)


def official(name: str) -> dict[str, torch.Tensor]:
    """Tensors by the official names, of official shapes."""
    torch.manual_seed(1)
    whole = {"int64": torch.zeros}
    kinds = {key.name: getattr(torch, key.dtype) for key in golden(name).keys}
    made = {k.name: whole.get(k.dtype, torch.rand)(k.shape, dtype=kinds[k.name]) for k in golden(name).keys}
    return {k: _constant(k, v) for k, v in made.items()}


def _constant(name: str, value: torch.Tensor) -> torch.Tensor:
    """SPyNet's stored mean and deviation of colours are the same in every file."""
    numbers = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}.get(name.removeprefix("spynet."))
    return torch.tensor(numbers).view(1, 3, 1, 1) if numbers else value


def prefixed(state, prefix):
    return {prefix + key: value for key, value in state.items()}


def mmedit(state):
    """As BasicVSR++'s authors save: a second network's tensors and a counter beside the generator's."""
    extra = {"step_counter": torch.zeros(1), "discriminator.weight": torch.zeros(3)}
    return {"meta": {"epoch": 1, "time": "Mon"}, "state_dict": {**prefixed(state, "generator."), **extra}}


def estrnn(state):
    return {
        "epoch": 500,
        "model": "ESTRNN",
        "state_dict": prefixed(state, "module.model."),
        "register_dict": {"PSNR_valid": {1: 31.0, "max": 31.0}},
        "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 0.1}]},
        "scheduler": {"last_epoch": 500},
    }


BACKBONES = {
    "basicvsrpp_c64n15": ("basicvsrpp", mmedit),
    "basicvsrpp_c16n2": ("basicvsrpp", lambda state: prefixed(state, "module.")),
    "estrnn_c80b15": ("estrnn", estrnn),
    "estrnn_c40b3": ("estrnn", lambda state: {"model_state": prefixed(state, "module.model.")}),
    "ifirnn_c2h3": ("ifirnn", lambda state: {"state_dict": prefixed(state, "module.model.")}),
    "rvrt_deblur": ("rvrt", lambda state: {"params": state}),
}


def same(loaded, state, ignored=()):
    own = loaded.state_dict()
    assert own.keys() == {key for key in state if not key.endswith(ignored or ("\0",))}
    assert all(torch.equal(own[key], state[key]) for key in own)


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_official_backbones(tmp_path, name):
    network, wrapped = BACKBONES[name]
    state = official(name)
    torch.save(wrapped(state), tmp_path / "official.pth")
    target = tmp_path / "ours.safetensors"
    assert convert(tmp_path / "official.pth", target, notes={"licence": "MIT"}) == network
    loaded = load_weights(target, network)
    own = loaded.state_dict()
    left = state.keys() - own.keys()
    assert own.keys() <= state.keys() and all(key.endswith("relative_position_index") for key in left), left
    assert all(torch.equal(own[key], state[key]) for key in own)
    assert read_facts(target).licence == "MIT"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["official.pth", "ours.safetensors"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["searaft_s", "searaft_m"])
def test_official_sea_raft(tmp_path, name):
    """A bare state_dict; the hub's safetensors leave one of two names of a tensor away."""
    state = official(name)
    for key in state:  # what the two names share is one tensor
        if "downsample.1" in key:
            state[key] = state[key.replace("downsample.1", "bn3")]
    torch.save(state, tmp_path / "official.pth")
    save_file({k: v for k, v in state.items() if "downsample.1" not in k}, tmp_path / "model.safetensors")
    for source, target in (("official.pth", "a.safetensors"), ("model.safetensors", "b.safetensors")):
        assert convert(tmp_path / source, tmp_path / target) == "sea-raft"
        loaded = load_flow(tmp_path / target)
        assert loaded.config.size == name[-1]
        assert loaded.state_dict().keys() == state.keys()
        assert all(torch.equal(value, state[key]) for key, value in loaded.state_dict().items())


def test_torchvision_raft(tmp_path):
    torch.manual_seed(0)
    state = raft_large(weights=None).state_dict()
    torch.save(state, tmp_path / "official.pth")
    assert convert(tmp_path / "official.pth", tmp_path / "ours.safetensors") == "raft"
    assert torch.equal(
        load_flow(tmp_path / "ours.safetensors").state_dict()["mask_predictor.conv.bias"],
        state["mask_predictor.conv.bias"],
    )


@pytest.mark.slow
def test_torchvision_vgg19_is_what_the_perceptual_loss_reads(tmp_path):
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in vgg19(weights=None).state_dict().items()}
    state = {key: torch.zeros(1).expand(shape) for key, shape in shapes.items() if key.startswith("classifier.")}
    state |= {key: torch.rand(shape) for key, shape in shapes.items() if key.startswith("features.")}
    torch.save(state, tmp_path / "official.pth")
    assert convert(tmp_path / "official.pth", tmp_path / "vgg19.safetensors") == "vgg19"
    loss = Perceptual(tmp_path / "vgg19.safetensors")
    assert torch.equal(loss.features.state_dict()["34.weight"], state["features.34.weight"])


@pytest.mark.parametrize("layout", ["mmedit", "basicsr"])
@pytest.mark.parametrize("constants", [True, False])
def test_spynet_alone_is_what_untrained_networks_begin_with(tmp_path, layout, constants):
    """Under either's names, as published without the mean and deviation of colours, and with them."""
    torch.manual_seed(0)
    taught = SpyNet(layout)
    state = {key: value for key, value in taught.state_dict().items() if constants or key not in ("mean", "std")}
    torch.save(state if layout == "mmedit" else {"params": state}, tmp_path / "official.pth")
    assert convert(tmp_path / "official.pth", tmp_path / "spynet.safetensors") == "spynet"
    network = BasicVsrPp(BasicVsrPpConfig(mid_channels=8, num_blocks=1, deform_groups=2))
    give_flow(network, "basicvsrpp", tmp_path / "spynet.safetensors")
    for given, wanted in zip(network.spynet.parameters(), taught.parameters(), strict=True):
        assert torch.equal(given, wanted)


def test_colour_is_an_option(tmp_path):
    state = official("estrnn_c40b3")
    torch.save(state, tmp_path / "x.pth")
    for colour in ("bgr", "rgb"):
        convert(tmp_path / "x.pth", tmp_path / f"{colour}.safetensors", options={"colour": colour})
        assert load_weights(tmp_path / f"{colour}.safetensors").needs.colour == colour
    convert(tmp_path / "x.pth", tmp_path / "default.safetensors")
    assert load_weights(tmp_path / "default.safetensors").needs.colour == "bgr"


@pytest.mark.parametrize("options", [{"colour": "cmyk"}, {"color": "rgb"}, {"blocks": "three"}])
def test_options_that_do_not_exist(tmp_path, options):
    torch.save(official("estrnn_c40b3"), tmp_path / "x.pth")
    with pytest.raises(UsageError, match="That option does not suit estrnn: the") as caught:
        convert(tmp_path / "x.pth", tmp_path / "y.safetensors", options=options)
    assert next(iter(options)) in str(caught.value)


def test_options_that_do_not_fit_the_tensors(tmp_path):
    torch.save(official("estrnn_c40b3"), tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=r"x\.pth was not converted: it lacks cell"):
        convert(tmp_path / "x.pth", tmp_path / "y.safetensors", options={"blocks": 4})
    assert [path.name for path in tmp_path.iterdir()] == ["x.pth"]


def test_a_network_that_cannot_be_recognised_can_be_named(tmp_path):
    from selfhvd.backbones import Lite, LiteConfig

    network = Lite(LiteConfig(widths=(8, 8, 8), blocks=(1, 1, 1)))
    torch.save(network.state_dict(), tmp_path / "x.pth")
    target = tmp_path / "y.safetensors"
    with pytest.raises(WeightsError, match=r"x.pth is of no network known here \(\d+ tensors, first .*--network"):
        convert(tmp_path / "x.pth", target)
    convert(tmp_path / "x.pth", target, network="lite", options={"widths": [8, 8, 8], "blocks": [1, 1, 1]})
    assert load_weights(target).config == network.config
    with pytest.raises(UsageError, match="There is no network light; known are lite"):
        convert(tmp_path / "x.pth", target, network="light", overwrite=True)


def test_another_network_than_said(tmp_path):
    torch.save(official("estrnn_c40b3"), tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=r"x\.pth was not converted: it lacks rnncell0"):
        convert(tmp_path / "x.pth", tmp_path / "y.safetensors", network="ifirnn")


def test_a_tensor_lost_or_added(tmp_path):
    state = official("estrnn_c40b3")
    for changed in ({k: v for k, v in state.items() if k != "cell.F_h.0.bias"}, {**state, "more": torch.zeros(2)}):
        torch.save(changed, tmp_path / "x.pth")
        with pytest.raises(WeightsError, match="of no network known here"):
            convert(tmp_path / "x.pth", tmp_path / "y.safetensors")


def test_values_that_are_not_finite(tmp_path):
    state = official("estrnn_c40b3")
    state["cell.F_h.0.bias"][0] = float("nan")
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=r"not finite .*cell.F_h.0.bias"):
        convert(tmp_path / "x.pth", tmp_path / "y.safetensors")


def test_a_file_of_ours_is_not_converted_again(tmp_path):
    torch.save(official("estrnn_c40b3"), tmp_path / "x.pth")
    convert(tmp_path / "x.pth", tmp_path / "y.safetensors")
    with pytest.raises(WeightsError, match="is a weights file of selfhvd already"):
        convert(tmp_path / "y.safetensors", tmp_path / "z.safetensors")


def test_places(tmp_path):
    source = tmp_path / "x.pth"
    with pytest.raises(WeightsError, match="There is no file at"):
        convert(source, tmp_path / "y.safetensors")
    torch.save(official("estrnn_c40b3"), source)
    before = source.read_bytes()
    with pytest.raises(UsageError, match="is the input itself"):
        convert(source, source, overwrite=True)
    with pytest.raises(OutputError, match="does not exist"):
        convert(source, tmp_path / "no" / "y.safetensors")
    (tmp_path / "y.safetensors").write_bytes(b"old")
    with pytest.raises(OutputError, match="exists"):
        convert(source, tmp_path / "y.safetensors")
    assert (tmp_path / "y.safetensors").read_bytes() == b"old" and source.read_bytes() == before
    convert(source, tmp_path / "y.safetensors", overwrite=True)
    assert load_weights(tmp_path / "y.safetensors", "estrnn")


# Names alone


def test_both_layouts_of_spynet():
    names = [f"spynet.basic_module.{level}.basic_module" for level in range(6)]
    ours = {f"{name}.{i}.conv.{what}": (i, what) for name in names for i in range(5) for what in ("weight", "bias")}
    theirs = {f"{name}.{2 * i}.{what}": (i, what) for name in names for i in range(5) for what in ("weight", "bias")}
    for state in (ours, theirs):
        ways = list(layouts(state))
        assert ours in ways and theirs in ways


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["basicvsrpp_c16n2", "rvrt_deblur"])
def test_a_network_with_the_other_layout_of_spynet(tmp_path, kind):
    """As a BasicVSR++ trained by BasicSR has it."""
    state = official(kind)
    other = next(w for w in layouts(state) if len(w) == len(state) and w.keys() != state.keys())
    torch.save(other, tmp_path / "x.pth")
    convert(tmp_path / "x.pth", tmp_path / "y.safetensors", network=BACKBONES[kind][0])
    own = load_weights(tmp_path / "y.safetensors").state_dict()
    assert own.keys() <= state.keys() and all(torch.equal(own[key], state[key]) for key in own)


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model.", "generator.", "module.generator."])
def test_prefixes(prefix):
    assert next(layouts({f"{prefix}cell.weight": 1, f"{prefix}recons.model.0.bias": 2})) == {
        "cell.weight": 1,
        "recons.model.0.bias": 2,
    }


def test_a_prefix_that_not_all_have_stays():
    assert next(layouts({"model.0.weight": 1, "tail.weight": 2})) == {"model.0.weight": 1, "tail.weight": 2}


def test_constants_may_be_left_out():
    assert {"a": 1} in list(
        layouts({"a": 1, "spynet.mean": 2, "b.relative_position_index": 3, "n.num_batches_tracked": 4})
    )
    assert {"mean": 1} in list(layouts({"mean": 1}))
