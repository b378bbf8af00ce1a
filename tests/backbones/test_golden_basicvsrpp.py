"""SPyNet and BasicVSR++ do what the official networks do, number for number, in the official layout."""

from copy import deepcopy
from functools import cache

import pytest
import torch

from golden import Golden, assert_same_layout, fill, golden
from selfhvd.backbones import BasicVsrPp, BasicVsrPpConfig
from selfhvd.backbones.spynet import SpyNet

pytestmark = pytest.mark.golden

FLOWS = ("spynet", "spynet_odd")
SMALL, PUBLISHED = "basicvsrpp_c16n2", "basicvsrpp_c64n15"
BRANCHES = ("backward_1", "forward_1", "backward_2", "forward_2")


def made(gold: Golden) -> SpyNet | BasicVsrPp:
    if gold.name in FLOWS:
        return SpyNet("mmedit").eval()
    if gold.name == PUBLISHED:
        return BasicVsrPp().eval()
    size = gold.hyper_parameters
    return BasicVsrPp(BasicVsrPpConfig(mid_channels=size["mid_channels"], num_blocks=size["num_blocks"])).eval()


@cache
def filled(name: str, dtype: torch.dtype = torch.float32) -> SpyNet | BasicVsrPp:
    """With the weights of the rule; not to be written to."""
    return fill(made(golden(name)), golden(name)).to(dtype)


def run(network: BasicVsrPp, gold: Golden) -> dict[str, torch.Tensor]:
    """The output, the flows at a quarter of the size, and the features of every branch, frames in order of time."""
    flows: list[list[torch.Tensor]] = []
    known: list[torch.Tensor] = []
    neighbours = network.spynet.neighbours
    network.spynet.neighbours = lambda clip: flows.extend(neighbours(clip)) or flows
    watch = network.reconstruction.register_forward_pre_hook(lambda _, inputs: known.append(inputs[0]))
    with torch.no_grad():
        output = network.deblur(gold.input.to(network.conv_last.weight.dtype), None, None)
    watch.remove()
    network.spynet.neighbours = neighbours
    features = torch.stack(known, dim=1).chunk(5, dim=2)
    to_next, to_previous = (torch.stack(each, dim=1) for each in flows)
    return {
        "output": output,
        "flow_backward": to_next,
        "flow_forward": to_previous,
        **dict(zip(("feat_extract", *BRANCHES), features, strict=True)),
    }


@pytest.mark.parametrize("name", [*FLOWS, SMALL, PUBLISHED])
def test_layout_is_the_official_one(name):
    assert_same_layout(made(golden(name)), golden(name))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", FLOWS)
def test_every_golden_number_of_spynet_is_met(name, dtype):
    gold = golden(name)
    network = fill(made(gold), gold).to(dtype)
    arrays: dict[str, torch.Tensor] = {}
    for n, level in enumerate(network.basic_module):
        level.register_forward_hook(lambda _, __, output, n=n: arrays.update({f"residue_level{n}": output}))
    reference, supporting = gold.input.to(dtype).unbind(dim=1)
    with torch.no_grad():
        arrays["flow"] = network(reference, supporting)
    assert arrays.keys() == gold.wanted
    gold.check(**arrays)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dtype"),
    # The published size takes half a minute in float64; nothing but numbers of channels and blocks differs.
    [(SMALL, torch.float64), (SMALL, torch.float32), (PUBLISHED, torch.float32)],
    ids=str,
)
def test_every_golden_number_of_basicvsrpp_is_met(name, dtype):
    gold = golden(name)
    arrays = run(filled(name, dtype), gold)
    assert arrays.keys() == gold.wanted
    assert {array.dtype for array in arrays.values()} == {dtype}
    gold.check(**arrays)


@cache
def basicsr_keys() -> dict[str, str]:
    """mmedit's names -> those of BasicSR and RVRT."""
    keys = golden("spynet").shapes
    return {key: key.replace(f".{n}.conv.", f".{2 * n}.") for n in range(5) for key in keys if f".{n}.conv." in key}


def test_both_layouts_of_spynet_hold_the_same_network():
    gold = golden("spynet_odd")
    network = fill(made(gold), gold)
    other = SpyNet("basicsr")
    assert {f"spynet.{key}" for key in other.state_dict()} == {
        key for key in golden("rvrt_deblur").shapes if key.startswith("spynet.")
    }
    other.load_state_dict({basicsr_keys().get(key, key): value for key, value in network.state_dict().items()})
    with torch.no_grad():
        gold.check(flow=other(*gold.input.unbind(dim=1)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "entry",
    [
        "backbone.backward_2.main.2.1.conv2.weight",
        "deform_align.forward_1.conv_offset.6.weight",
        "deform_align.backward_1.weight",
    ],
)
def test_one_weight_tensor_off_by_one_percent_is_noticed(entry):
    gold = golden(SMALL)
    network = deepcopy(filled(SMALL))
    with torch.no_grad():
        network.get_parameter(entry).mul_(1.01)
    with pytest.raises(AssertionError, match="output_s3 is off by"):
        gold.check(output=run(network, gold)["output"])


@pytest.mark.parametrize("name", [SMALL, PUBLISHED])
def test_the_official_layout_is_recognised(name):
    gold = golden(name)
    assert BasicVsrPp.recognised(gold.shapes) == made(gold).config


def test_other_layouts_are_not_recognised():
    shapes = golden(SMALL).shapes
    first = "feat_extract.0.weight"
    assert BasicVsrPp.recognised({}) is None
    assert BasicVsrPp.recognised({first: ()}) is None
    assert BasicVsrPp.recognised(shapes | {"more": (1,)}) is None
    assert BasicVsrPp.recognised({k: v for k, v in shapes.items() if k != "conv_hr.bias"}) is None
    assert BasicVsrPp.recognised(shapes | {first: (0, 3, 3, 3)}) is None
    assert BasicVsrPp.recognised(shapes | {first: (24, 3, 3, 3)}) is None
    assert BasicVsrPp.recognised(golden("spynet").shapes) is None


def small(**settings: float) -> BasicVsrPp:
    """Filled by the rule's look-alike: every layer lively, so that offsets reach several pixels."""
    torch.manual_seed(0)
    network = BasicVsrPp(BasicVsrPpConfig(mid_channels=8, num_blocks=1, deform_groups=4, least_side=32, **settings))
    with torch.no_grad():
        for parameter in network.parameters():
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 400
            parameter.normal_(std=fan_in**-0.5)
    return network.double().eval()


def test_before_training_it_gives_its_input_back_and_nothing_is_thought_to_move():
    network = BasicVsrPp(BasicVsrPpConfig(mid_channels=8, num_blocks=1, deform_groups=4, least_side=32))
    clip = torch.rand(1, 3, 3, 32, 40)
    with torch.no_grad():
        assert torch.equal(network(clip), clip)
        assert all(flow.abs().max() == 0 for flow in network.spynet.neighbours(clip)[0])


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["_VALUES_ON_CPU", "_PIXELS_AT_ONCE"])
def test_what_is_made_in_pieces_is_the_same_as_at_once(limit, monkeypatch):
    """Rows of the alignment, pairs of the flow."""
    network, clip = small(), torch.rand(2, 3, 3, 32, 40, dtype=torch.float64)
    module = "selfhvd.ops.deform" if limit == "_VALUES_ON_CPU" else "selfhvd.backbones.spynet"
    with torch.no_grad():
        monkeypatch.setattr(f"{module}.{limit}", 10**9)
        whole = network(clip)
        monkeypatch.setattr(f"{module}.{limit}", 1)
        torch.testing.assert_close(network(clip), whole)


def test_the_greatest_residue_bounds_what_is_looked_at():
    """With no residue allowed and no flow, a change of one corner touches only its neighbourhood in the alignment."""
    last = torch.rand(1, 8, 24, 24, dtype=torch.float64)
    other = last.clone()
    other[..., 12, 12] += 1
    zeros, still = torch.zeros_like(last), torch.zeros(1, 2, 24, 24, dtype=torch.float64)
    for reach in (1e-9, 10.0):
        align = small(max_residue_magnitude=reach).deform_align["forward_1"]
        for layer in align.conv_offset[:-1:2]:
            torch.nn.init.zeros_(layer.weight)  # the offsets do not depend on what is seen
        torch.nn.init.normal_(align.conv_offset[-1].bias, std=2.0)
        with torch.no_grad():
            change = align(zeros, last, zeros, still, still) - align(zeros, other, zeros, still, still)
        rows, columns = change.abs().amax(dim=(0, 1)).gt(1e-6).nonzero().unbind(dim=1)
        near = max((rows - 12).abs().max().item(), (columns - 12).abs().max().item())
        assert near <= 1 if reach < 1 else near > 3
