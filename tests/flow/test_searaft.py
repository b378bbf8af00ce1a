"""SEA-RAFT is the published network: its names, its numbers, and files of it in all their forms."""

from copy import deepcopy
from functools import cache

import pytest
import torch

from golden import NAMES, assert_same_layout, fill, golden
from selfhvd.flow.certainty import heat
from selfhvd.flow.searaft import SeaRaft, SeaRaftConfig

CONFIGS = {
    "searaft_s": SeaRaftConfig(size="s"),
    "searaft_m": SeaRaftConfig(size="m"),
    "searaft_m_spring": SeaRaftConfig(size="m", scale=-1),
}


@cache
def filled(name: str, dtype: torch.dtype = torch.float32) -> SeaRaft:
    """Not to be written to."""
    network = SeaRaft(CONFIGS[name]).eval()
    fill(network, golden(name))
    return network.to(dtype)


@cache
def measured(name: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """All that is stored of a network's run."""
    first, second = golden(name).input.to(dtype).unbind(1)
    config = CONFIGS[name]
    with torch.no_grad():
        every = filled(name, dtype).every(first, second)
    return {
        "flow": every[-1].flow,
        "info": every[-1].info,
        "flow_each": torch.stack([found.flow for found in every], dim=1),
        "info_each": torch.stack([found.info for found in every], dim=1),
        "heat": heat(every[-1].info, config.var_min, config.var_max),
    }


@pytest.mark.parametrize("name", CONFIGS)
def test_official_layout(name):
    gold, network = golden(name), SeaRaft(CONFIGS[name])
    assert_same_layout(network, gold)
    assert list(network.state_dict()) == [key.name for key in gold.keys]


def test_sizes():
    assert [len(golden(name).keys) for name in ("searaft_s", "searaft_m")] == [276, 472]
    assert sum(p.numel() for p in SeaRaft(SeaRaftConfig(size="s")).parameters()) == 8_883_460
    assert sum(p.numel() for p in SeaRaft().parameters()) == 19_663_876


@pytest.mark.parametrize("name", CONFIGS)
def test_defaults_are_the_published_ones(name):
    official, config = golden(name).hyper_parameters, CONFIGS[name]
    ours = {"iters": config.iterations, "scale": config.scale, "var_min": config.var_min, "var_max": config.var_max}
    assert ours == {key: official[key] for key in ours}


@pytest.mark.slow
@pytest.mark.golden
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CONFIGS)
def test_golden(name, dtype):
    gold = golden(name)
    stored = {key: value for key, value in measured(name, dtype).items() if key in gold.wanted}
    assert gold.wanted - stored.keys() <= {"heat_test_info", "heat_test_var10_0", "heat_test_var8_m4"}
    gold.check(**stored)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("key", "var_min", "var_max"), [("heat_test_var10_0", 0.0, 10.0), ("heat_test_var8_m4", -4.0, 8.0)]
)
def test_golden_heat(key, var_min, var_max):
    gold = golden("searaft_s")
    info = torch.tensor(gold.expected["heat_test_info"].values)
    assert info.min() < var_min - 1 and info.max() > var_max + 1
    gold.check(**{key: heat(info, var_min, var_max)})
    gold.check(**{key: heat(info.double(), var_min, var_max)})


@pytest.mark.slow
@pytest.mark.golden
@pytest.mark.parametrize(
    "key",
    [
        "cnet.layer2.0.downsample.0.weight",
        "fnet.layer3.1.conv2.weight",
        "update_block.refine.1.gamma",
    ],
)
def test_golden_sees_one_weight_off_by_a_percent(key):
    gold, network = golden("searaft_s"), deepcopy(filled("searaft_s", torch.float64))
    with torch.no_grad():
        network.get_parameter(key).mul_(1.01)
        flow, info = network(*gold.input.double().unbind(1))
    with pytest.raises(AssertionError, match="is off by"):
        gold.check(flow=flow, info=info)


def test_the_last_of_all_iterations_is_the_result():
    gold, network = golden("searaft_s"), filled("searaft_s")
    with torch.no_grad():
        flow, info = network(*gold.input.unbind(1))
    assert torch.equal(flow, measured("searaft_s", torch.float32)["flow"])
    assert torch.equal(info, measured("searaft_s", torch.float32)["info"])


def test_more_iterations_begin_with_the_same():
    """The network `l` is `m` with twelve."""
    network = SeaRaft(SeaRaftConfig(size="s", iterations=1)).eval()
    fill(network, golden("searaft_s"))
    with torch.no_grad():
        one = network(*golden("searaft_s").input.unbind(1))
    torch.testing.assert_close(one.flow, measured("searaft_s", torch.float32)["flow_each"][:, 1])


@pytest.mark.slow
def test_both_ways_are_two_calls():
    first, second = golden("searaft_s").input.unbind(1)
    network = filled("searaft_s")
    with torch.no_grad():
        there, back = network.both(first, second)
        torch.testing.assert_close(there.flow, measured("searaft_s", torch.float32)["flow"], atol=2e-4, rtol=0)
        alone = network(second, first)
    torch.testing.assert_close(back.flow, alone.flow, atol=2e-4, rtol=0)
    torch.testing.assert_close(back.info, alone.info, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_odd_sizes_at_half_the_size():
    """The flow comes back at the images' own size, its values grown by as much as the grid."""
    network = SeaRaft(SeaRaftConfig(size="s", scale=-1)).eval()
    fill(network, golden("searaft_s"))
    first, second = (image[..., :257, :] for image in golden("searaft_m_spring").input.unbind(1))
    with torch.no_grad():
        odd, even = network(first, second), network(first[..., :256, :], second[..., :256, :])
    assert odd.flow.shape == (1, 2, 257, 312) and odd.info.shape == (1, 4, 257, 312)
    ratio = odd.flow[..., ::4, ::4].flatten(2).std(dim=2) / even.flow[..., ::4, ::4].flatten(2).std(dim=2)
    torch.testing.assert_close(ratio, torch.ones(1, 2), atol=0.05, rtol=0)


@pytest.mark.parametrize("name", ["searaft_s", "searaft_m"])
def test_recognised_by_its_official_names(name):
    shapes = golden(name).shapes
    assert SeaRaft.recognised(shapes) == CONFIGS[name]
    for twin in ("bn3", "downsample.1"):
        one_of_each = {key: shape for key, shape in shapes.items() if f".{twin}." not in key}
        assert len(one_of_each) < len(shapes)
        assert SeaRaft.recognised(one_of_each) == CONFIGS[name]


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("searaft")])
def test_other_networks_are_not_recognised(name):
    assert SeaRaft.recognised(golden(name).shapes) is None


def test_incomplete_files_are_not_recognised():
    shapes = golden("searaft_s").shapes
    assert SeaRaft.recognised({k: v for k, v in shapes.items() if k != "flow_head.2.bias"}) is None
    assert SeaRaft.recognised({**shapes, "flow_head.2.bias": (5,)}) is None
    without_the_norm = {k: v for k, v in shapes.items() if k.split(".")[-2:] != ["bn3", "weight"]}
    assert SeaRaft.recognised({k: v for k, v in without_the_norm.items() if "downsample.1" not in k}) is None
    assert SeaRaft.recognised({}) is None


@pytest.mark.parametrize("lacking", ["nothing", ".bn3.", ".downsample.1.", "num_batches_tracked"])
def test_files_load_with_either_name_of_a_twin(lacking):
    whole = filled("searaft_s").state_dict()
    network = SeaRaft(SeaRaftConfig(size="s"))
    network.load_state_dict({k: v.clone() for k, v in whole.items() if lacking not in k})
    loaded = network.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in whole.items())


def test_files_that_lack_both_twins_are_refused():
    whole = filled("searaft_s").state_dict()
    partial = {k: v for k, v in whole.items() if "cnet.layer2.0.bn3" not in k and "cnet.layer2.0.downsample.1" not in k}
    with pytest.raises(RuntimeError, match="Missing key"):
        SeaRaft(SeaRaftConfig(size="s")).load_state_dict(partial)
