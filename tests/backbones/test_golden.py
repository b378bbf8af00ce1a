"""ESTRNN and IFIRNN do what the official networks do, number for number, in the official layout."""

from functools import cache

import pytest
import torch
from torch import nn

from golden import Golden, assert_same_layout, fill, golden
from selfhvd.backbones import EstRnn, EstRnnConfig, IfiRnn

pytestmark = pytest.mark.golden

CASES = ("estrnn_c80b15", "estrnn_c40b3", "estrnn_c40b2_p1f2", "ifirnn_c2h3")
PUBLISHED = ("estrnn_c80b15", "ifirnn_c2h3")


def made(gold: Golden) -> EstRnn | IfiRnn:
    if gold.name in PUBLISHED:
        return (EstRnn() if gold.name.startswith("estrnn") else IfiRnn()).eval()
    size = gold.hyper_parameters
    return EstRnn(
        EstRnnConfig(
            features=size["n_features"],
            blocks=size["n_blocks"],
            past=size["past_frames"],
            future=size["future_frames"],
        )
    ).eval()


@cache
def filled(name: str, dtype: torch.dtype) -> nn.Module:
    """With the weights of the rule; not to be written to."""
    return fill(made(golden(name)), golden(name)).to(dtype)


def run(network: nn.Module, gold: Golden) -> dict[str, torch.Tensor]:
    """The output, and what the golden numbers call h, s, fusion and hidden."""
    seen: dict[str, list[torch.Tensor]] = {}

    def watch(module: nn.Module, key: str, part: int | None = None) -> torch.utils.hooks.RemovableHandle:
        return module.register_forward_hook(
            lambda _, __, output: seen.setdefault(key, []).append(output if part is None else output[part])
        )

    if isinstance(network, EstRnn):
        watches = [watch(network.cell, "h", 0), watch(network.cell, "s", 1), watch(network.fusion, "fusion")]
    else:
        watches = [watch(network.rnncell0, "hidden", 1), watch(network.rnncell1, "hidden", 1)]
    with torch.no_grad():
        output = network.deblur(gold.input.to(next(network.parameters()).dtype) - 0.5, None, None)
    for each in watches:
        each.remove()
    return {"output": output} | {key: torch.stack(values, dim=1) for key, values in seen.items()}


@pytest.mark.parametrize("name", CASES)
def test_layout_is_the_official_one(name):
    assert_same_layout(made(golden(name)), golden(name))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_every_golden_number_is_met(name, dtype):
    gold = golden(name)
    arrays = run(filled(name, dtype), gold)
    assert arrays.keys() == gold.wanted
    assert {array.dtype for array in arrays.values()} == {dtype}
    gold.check(**arrays)


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("estrnn_c80b15", "cell.F_R.RDBs.7.dense_layers.1.conv.weight"),
        ("estrnn_c80b15", "cell.F_R.RDBs.13.dense_layers.2.conv.bias"),
        ("estrnn_c40b2_p1f2", "fusion.F_f.2.weight"),
        ("estrnn_c40b2_p1f2", "cell.F_h.1.dense_layers.0.conv.bias"),
        ("ifirnn_c2h3", "rnncell0.F_R.4.main_branch.0.bias"),
        ("ifirnn_c2h3", "rnncell1.F_R.3.main_branch.2.weight"),
    ],
)
def test_one_weight_tensor_off_by_one_percent_is_noticed(name, entry):
    """Among them the tensors to which each network is least sensitive."""
    gold = golden(name)
    network = fill(made(gold), gold).double()
    with torch.no_grad():
        network.get_parameter(entry).mul_(1.01)
    with pytest.raises(AssertionError, match="output is off by"):
        gold.check(output=run(network, gold)["output"])


@pytest.mark.parametrize("name", CASES)
def test_the_official_layout_is_recognised(name):
    gold = golden(name)
    network = made(gold)
    assert type(network).recognised(gold.shapes) == network.config


@pytest.mark.parametrize("name", PUBLISHED)
def test_other_layouts_are_not_recognised(name):
    network, shapes = type(made(golden(name))), golden(name).shapes
    first = next(iter(shapes))
    assert network.recognised({}) is None
    assert network.recognised({first: ()}) is None
    assert network.recognised(shapes | {"more": (1,)}) is None
    assert network.recognised({k: v for k, v in shapes.items() if k != first}) is None
    assert network.recognised({k: v for k, v in shapes.items() if not k.endswith("2.bias")}) is None
    assert network.recognised(shapes | {first: (0, 3, 5, 5)}) is None
    assert network.recognised(shapes | {first: (7, 3, 5, 5)}) is None
    assert network.recognised(golden("spynet").shapes) is None


def test_forward_turns_rgb_in_0_to_1_into_the_official_convention():
    """The golden clip, read as BGR, through `forward`."""
    gold = golden("ifirnn_c2h3")
    with torch.no_grad():
        output = filled(gold.name, torch.float64)(gold.input.double().flip(2))
    gold.check(output=output.flip(2) - 0.5)


def test_forward_looks_past_the_ends_by_reflection():
    """ESTRNN with two frames of context sees a clip 0 1 2 3 as 2 1 0 1 2 3 2 1 and keeps all four."""
    network = filled("estrnn_c40b3", torch.float64)
    frames = golden("estrnn_c40b3").input.double()[:, :4]
    with torch.no_grad():
        wanted = network.deblur(frames[:, [2, 1, 0, 1, 2, 3, 2, 1]].flip(2) - 0.5, None, None)
        torch.testing.assert_close(network(frames), wanted.flip(2) + 0.5)


def test_weights_trained_on_rgb():
    """DaDeblur's ESTRNN: the same layout, the channels as they come."""
    gold = golden("estrnn_c40b3")
    network = fill(EstRnn(EstRnnConfig(features=8, blocks=3, colour="rgb")), gold).double()
    frames = gold.input.double()[:, :3]
    with torch.no_grad():
        torch.testing.assert_close(network(frames), filled(gold.name, torch.float64)(frames.flip(2)).flip(2))


@pytest.mark.parametrize("future", [0, 1])
def test_estrnn_is_causal_only_without_future_frames(future):
    torch.manual_seed(0)
    network = EstRnn(EstRnnConfig(features=4, blocks=1, future=future)).double()
    frames = torch.rand(1, 4, 3, 8, 8, dtype=torch.float64)
    other = torch.cat([frames[:, :3], 1 - frames[:, 3:]], dim=1)
    with torch.no_grad():
        change = (network(frames) - network(other)).abs().amax(dim=(0, 2, 3, 4))
    assert network.needs.causal == (change[:3].max().item() == 0) == (future == 0)
    assert change[3] > 0
