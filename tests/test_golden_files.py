"""The golden files are whole, and their comparison notices what it should."""

import pytest
import torch
from torch import nn

from golden import NAMES, Key, assert_same_layout, fill, golden
from golden.loader import HERE

pytestmark = pytest.mark.golden


class Official(nn.Module):
    """SPyNet's layout without its arithmetic, made from the golden keys."""

    def __init__(self) -> None:
        super().__init__()
        self.entries = {key.name: torch.zeros(key.shape) for key in golden("spynet").keys}
        self.entries["mean"] = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        self.entries["std"] = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)

    def state_dict(self, *args, **kwargs):
        return self.entries


@pytest.mark.parametrize("name", NAMES)
def test_is_whole(name):
    """Input by its CRC (in the loader), arrays by their shape, tolerances by what they cover."""
    gold = golden(name)
    assert gold.input.shape[:1] == (1,) and gold.input.min() == 0 and gold.input.max() == 1
    assert len({key.name for key in gold.keys}) == len(gold.keys) and set(gold.buffers) <= gold.shapes.keys()
    for expected in gold.expected.values():
        assert 0 < expected.atol_float64 < 1e-5 and expected.atol_float32 < 1e-3
        assert expected.values.std() > 1000 * expected.atol_float64, "too coarse to tell anything"


def test_take_little_room():
    assert sum(path.stat().st_size for path in HERE.iterdir() if path.is_file()) < 6_000_000


def test_fill_gives_the_measured_weights():
    network = fill(Official(), golden("spynet"))
    first = network.state_dict()["basic_module.1.basic_module.1.conv.weight"].flatten()[:3]
    assert first.tolist() == [0.05027260631322861, 0.03968998044729233, -0.02866642363369465]


def test_other_constants_are_noticed():
    network = Official()
    network.entries["std"] = network.entries["std"] + 0.001
    with pytest.raises(AssertionError, match="not those measured with"):
        fill(network, golden("spynet"))


def test_other_layouts_are_noticed():
    gold, network = golden("spynet"), Official()
    assert_same_layout(network, gold)
    mean = network.entries.pop("mean")
    with pytest.raises(AssertionError, match="missing"):
        assert_same_layout(network, gold)
    assert_same_layout(network, gold, without=["mean"])
    network.entries["mean"] = mean.double()
    with pytest.raises(AssertionError, match="missing or of another shape"):
        assert_same_layout(network, gold)
    network.entries |= {"mean": mean, "extra": mean}
    with pytest.raises(AssertionError, match=r"not in the official layout.*extra"):
        assert_same_layout(network, gold)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_check_allows_the_tolerance_and_no_more(dtype):
    gold = golden("spynet")
    expected = gold.expected["flow"]
    flow = torch.tensor(expected.values, dtype=dtype)
    gold.check(flow=flow)
    flow[0, 1, 50, 70] += 0.9 * expected.tolerance(dtype)
    gold.check(flow=flow)
    flow[0, 1, 50, 70] += 0.5 * expected.tolerance(dtype)
    with pytest.raises(AssertionError, match="flow is off by"):
        gold.check(flow=flow)


def test_check_refuses_what_it_cannot_compare():
    gold = golden("spynet")
    with pytest.raises(AssertionError, match="nothing stored"):
        gold.check(speed=torch.zeros(1))
    with pytest.raises(AssertionError, match="is not"):
        gold.check(flow=torch.zeros(1, 2, 96, 159))


def test_cuts_are_taken_from_the_whole():
    """Every third value of the published BasicVSR++'s output, and its corner."""
    gold = golden("basicvsrpp_c64n15")
    whole = torch.arange(1 * 5 * 3 * 256 * 264).view(1, 5, 3, 256, 264)
    assert whole[gold.expected["output_s3"].cut][0, 0, 0, 1, 1] == 4 * 264 + 5
    assert whole[gold.expected["output_br"].cut][0, 0, 0, 0, 0] == (256 - 32) * 264 + 264 - 32
    assert Key("spynet.mean", (1, 3, 1, 1), "float32") in gold.keys
