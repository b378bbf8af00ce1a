"""RVRT does what the official network does, number for number, in the official layout."""

import itertools
import math
from copy import deepcopy
from functools import cache

import pytest
import torch

from golden import Golden, assert_same_layout, fill, golden
from selfhvd.backbones import Rvrt, RvrtConfig
from selfhvd.backbones.rvrt import _Paths
from selfhvd.ops.deform import neighbourhoods

pytestmark = pytest.mark.golden

NAME = "rvrt_deblur"
KNOWN = ("shallow", "backward_1", "forward_1", "backward_2", "forward_2")


@cache
def filled(dtype: torch.dtype) -> Rvrt:
    """With the weights of the rule; not to be written to."""
    return fill(Rvrt().eval(), golden(NAME)).to(dtype)


def run(network: Rvrt, gold: Golden) -> dict[str, torch.Tensor]:
    """The output, the flows at a quarter of the size, the features in order of time, the first paths found anew."""
    flows: list[list[torch.Tensor]] = []
    known: list[torch.Tensor] = []
    found: dict[str, torch.Tensor] = {}
    neighbours = network.spynet.neighbours
    network.spynet.neighbours = lambda clip: flows.extend(neighbours(clip)) or flows

    def keep(branch: str, paths: _Paths) -> None:
        found.setdefault(f"updated_flow_{branch}", torch.cat(paths)[None])

    watches = [network.reconstruction.register_forward_pre_hook(lambda _, inputs: known.append(inputs[0]))]
    for branch in ("backward_1", "forward_1"):
        align = network.deform_align[branch]
        watches.append(align.register_forward_hook(lambda _, __, output, branch=branch: keep(branch, output[1])))
    with torch.no_grad():
        output = network.deblur(gold.input.to(network.conv_last.weight.dtype), None, None)
    for watch in watches:
        watch.remove()
    network.spynet.neighbours = neighbours
    features = torch.cat(known)[None].chunk(5, dim=2)
    to_next, to_previous = (torch.stack(each, dim=1) for each in flows)
    return {
        "output": output,
        "flow_backward": to_next,
        "flow_forward": to_previous,
        **found,
        **dict(zip(KNOWN, features, strict=True)),
    }


def test_layout_is_the_official_one():
    assert_same_layout(Rvrt(), golden(NAME))


def test_constants_of_the_layout_are_the_official_ones():
    """`relative_position_index`, of which the golden numbers hold the shape: the pairs' displacements, numbered."""
    state = Rvrt().state_dict()
    for frames, key in ((1, "reconstruction.main.5.0"), (2, "backbone.forward_1.main.5.1")):
        index = state[f"{key}.residual_group.blocks.1.attn.relative_position_index"]
        places = list(itertools.product(range(frames), range(8), range(8)))
        for row, column in ((0, 0), (0, len(places) - 1), (len(places) - 1, 5), (9, 50)):
            t, y, x = (a - b for a, b in zip(places[row], places[column], strict=True))
            assert index[row, column] == (t + frames - 1) * 225 + (y + 7) * 15 + x + 7


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_every_golden_number_is_met(dtype):
    gold = golden(NAME)
    arrays = run(filled(dtype), gold)
    assert arrays.keys() == gold.wanted
    assert {array.dtype for array in arrays.values()} == {dtype}
    gold.check(**arrays)


@pytest.mark.slow
def test_one_weight_tensor_off_by_one_percent_is_noticed():
    gold = golden(NAME)
    network = deepcopy(filled(torch.float32))
    with torch.no_grad():
        network.get_parameter("backbone.forward_1.main.5.1.residual_group.blocks.0.mlp.fc1.weight").mul_(1.01)
    with pytest.raises(AssertionError, match="output_s3 is off by"):
        gold.check(output=run(network, gold)["output"])


def test_layouts_are_recognised():
    shapes = golden(NAME).shapes
    assert Rvrt.recognised(shapes) == RvrtConfig()
    other = RvrtConfig(width=24, blocks=(1, 3, 2), depth=3, heads=4, deform_groups=6)
    layout = {key: tuple(value.shape) for key, value in Rvrt(other).state_dict().items()}
    assert Rvrt.recognised(layout) == other


@pytest.mark.slow
def test_other_layouts_are_not_recognised():
    shapes = golden(NAME).shapes
    first = "feat_extract.1.weight"
    assert Rvrt.recognised({}) is None
    assert Rvrt.recognised({first: ()}) is None
    assert Rvrt.recognised(shapes | {"more": (1,)}) is None
    assert Rvrt.recognised({k: v for k, v in shapes.items() if k != "upsampler.5.bias"}) is None
    assert Rvrt.recognised(shapes | {first: (0, 3, 1, 3, 3)}) is None
    assert Rvrt.recognised(shapes | {first: (96, 3, 1, 3, 3)}) is None
    assert Rvrt.recognised(golden("basicvsrpp_c16n2").shapes) is None


def small() -> Rvrt:
    """Every layer lively."""
    torch.manual_seed(0)
    config = RvrtConfig(width=12, blocks=(1, 1, 1), heads=2, deform_groups=4, deform_heads=4, least_side=32)
    network = Rvrt(config)
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=parameter[0].numel() ** -0.5)
            elif not key.endswith("weight"):
                parameter.normal_(std=0.05)
    return network.double().eval()


def test_attention_between_clips_by_its_definition():
    """Pixel by pixel: 2 frames x 9 places, each bilinear between four pixels, one softmax over all 18."""
    network = small()
    align = network.deform_align["forward_1"]
    generator = torch.Generator().manual_seed(1)
    channels, height, width, heads, groups = 24, 5, 6, 4, 4
    queries = torch.randn(2, channels, height, width, generator=generator, dtype=torch.float64)
    memory = torch.randn(2, 2 * channels, height, width, generator=generator, dtype=torch.float64)
    offsets = 2 * torch.randn(2, 2, groups, 9, 2, height, width, generator=generator, dtype=torch.float64)
    still = torch.zeros(2, 2, height, width, dtype=torch.float64)

    def read(frame: int, channel: int, y: float, x: float) -> float:
        total = 0.0
        for row, column in itertools.product((math.floor(y), math.floor(y) + 1), (math.floor(x), math.floor(x) + 1)):
            if 0 <= row < height and 0 <= column < width:
                total += (1 - abs(y - row)) * (1 - abs(x - column)) * memory[frame, channel, row, column].item()
        return total

    def expected(frame: int, channel: int, row: int, column: int) -> float:
        head = channel // (channels // heads)
        inside = range(head * channels // heads, (head + 1) * channels // heads)
        scores, values = [], []
        for n, tap in itertools.product(range(2), range(9)):

            def place(c: int, n: int = n, tap: int = tap) -> tuple[float, float]:
                dy, dx = offsets[frame, n, c // (2 * channels // groups), tap, :, row, column].tolist()
                return row + tap // 3 - 1 + dy, column + tap % 3 - 1 + dx

            source = (n + frame) % 2
            keys = [read(source, c, *place(c)) for c in inside]
            scores.append(sum(queries[frame, c, row, column].item() * k for c, k in zip(inside, keys, strict=True)))
            values.append(read(source, channels + channel, *place(channels + channel)))
        weights = torch.softmax(torch.tensor(scores) * (channels // heads) ** -0.5, dim=0)
        return float((weights * torch.tensor(values)).sum())

    align.heads = heads
    places = torch.stack([neighbourhoods(still)] * 2)
    with torch.no_grad():
        output = align._looked_up((memory, memory.flip(0)), queries, offsets.flatten(1, 4), places)
    for frame, channel, row, column in ((0, 0, 0, 0), (1, 7, 2, 3), (0, 23, 4, 5), (1, 12, 1, 0)):
        assert output[frame, channel, row, column].item() == pytest.approx(
            expected(frame, channel, row, column), abs=1e-6
        )


def test_shifted_windows_do_not_mix_opposite_borders():
    """A frame of 16x24: what changes at the top is not felt at the bottom by one layer of shifted windows."""
    layer = small().reconstruction.main["5"][0].residual_group["blocks"][1].attn
    tokens = torch.rand(1, 1, 16, 24, 12, dtype=torch.float64)
    other = tokens.clone()
    other[:, :, 0, 1] += 1
    with torch.no_grad():
        change = (layer(tokens) - layer(other)).abs().amax(dim=(0, 1, 4))
    rows, columns = change.gt(1e-9).nonzero().unbind(dim=1)
    assert rows.unique().tolist() == [0, 1, 2, 3] and columns.unique().tolist() == [0, 1, 2, 3]


@pytest.mark.slow
def test_what_is_made_in_pieces_is_the_same_as_at_once(monkeypatch):
    network, clip = small(), torch.rand(2, 4, 3, 32, 40, dtype=torch.float64)
    with torch.no_grad():
        monkeypatch.setattr("selfhvd.ops.deform._VALUES_ON_CPU", 10**9)
        whole = network(clip)
        monkeypatch.setattr("selfhvd.ops.deform._VALUES_ON_CPU", 1)
        torch.testing.assert_close(network(clip), whole)


def test_before_training_it_gives_its_input_back():
    network = Rvrt(RvrtConfig(width=12, blocks=(1, 1, 1), heads=2, deform_groups=4, deform_heads=4, least_side=32))
    clip = torch.rand(1, 3, 3, 33, 40)
    with torch.no_grad():
        assert torch.equal(network(clip), clip)
