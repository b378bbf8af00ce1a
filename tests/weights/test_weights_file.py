"""Weights files of ours: what is saved comes back; what is damaged is refused with a sentence that names the fault."""

import json
import struct

import pytest
import torch
from safetensors.torch import save_file

from selfhvd.backbones import Lite, LiteConfig
from selfhvd.backbones.lite_int8 import places
from selfhvd.errors import OutputError, WeightsError
from selfhvd.flow import SeaRaft, SeaRaftConfig
from selfhvd.weights import BASE_WEIGHTS, load_flow, load_weights, name_of, save_weights
from selfhvd.weights.facts import read_facts
from selfhvd.weights.ranges import as_text

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


def refused(path, *words: str, load=load_weights) -> None:
    with pytest.raises(WeightsError) as caught:
        load(path)
    said = str(caught.value)
    assert caught.value.exit_code == 6 and str(path) in said
    assert all(word in said for word in words), said
    assert len(said.splitlines()) == 1 and len(said) < 400 + len(str(path)), said


def test_round_trip(path, network):
    loaded = load_weights(path)
    assert isinstance(loaded, Lite) and loaded.config == SMALL and not loaded.training
    assert loaded.state_dict().keys() == network.state_dict().keys()
    assert all(torch.equal(loaded.state_dict()[k], v) for k, v in network.state_dict().items())
    clip = torch.rand(1, 1, 3, 16, 8)
    assert torch.equal(loaded(clip), network.eval()(clip))


def test_nothing_is_left_beside_the_file(path):
    assert [p.name for p in path.parent.iterdir()] == ["lite.safetensors"]


def test_others_may_read_it(path):
    """As any new file's, its rights are those that the user's umask leaves."""
    plain = path.with_name("plain")
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_file_is_replaced(path, network):
    with torch.no_grad():
        network.tail.bias.fill_(3)
    save_weights(path, network, "lite")
    assert load_weights(path).tail.bias.eq(3).all()


def test_a_folder_that_cannot_be_written(tmp_path, network):
    with pytest.raises(OutputError, match="cannot be written"):
        save_weights(tmp_path / "no" / "lite.safetensors", network, "lite")


def test_name(path):
    assert name_of(path) == "lite"
    assert isinstance(load_weights(path, "lite"), Lite)
    with pytest.raises(WeightsError, match="holds weights of lite, not of estrnn"):
        load_weights(path, "estrnn")


def test_facts(path, network):
    facts = read_facts(path)
    assert (facts.kind, facts.network, facts.licence) == ("backbone", "lite", None)
    assert facts.settings == {"name": "lite", "widths": (8, 12, 16), "blocks": (1, 2, 1)}
    assert facts.parameters == sum(p.numel() for p in network.parameters())
    assert facts.notes == {"steps": "12"} and facts.bytes == path.stat().st_size


def test_shipped_weights_load():
    assert load_weights(BASE_WEIGHTS).needs.guides == 2


def test_a_flow_network_with_tensors_of_two_names(tmp_path):
    """SEA-RAFT's third norms go by two names each; the file holds one, the network gets both."""
    path = tmp_path / "flow.safetensors"
    network = SeaRaft(SeaRaftConfig(size="s", iterations=2))
    save_weights(path, network, "sea-raft")
    loaded = load_flow(path)
    assert isinstance(loaded, SeaRaft) and loaded.config == network.config
    assert loaded.state_dict().keys() == network.state_dict().keys()
    assert all(torch.equal(loaded.state_dict()[k], v) for k, v in network.state_dict().items())
    assert not any("downsample.1" in key for key in table_of(path.read_bytes())[0])
    refused(path, "holds the flow network sea-raft, but a backbone network is wanted")


def test_a_backbone_is_no_flow(path):
    refused(path, "holds the backbone network lite, but a flow network is wanted", load=load_flow)


# What cannot be read at all


def test_missing(tmp_path):
    refused(tmp_path / "no.safetensors", "There is no weights file at", "check the path")


def test_a_folder_is_no_file(tmp_path):
    refused(tmp_path, "There is no weights file at")


def test_a_file_that_cannot_be_opened(path, monkeypatch):
    def no(*given, **named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", no)
    refused(path, "cannot be read (Permission denied)")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path, "is not a weights file", "cut off", "fetch or convert it again")


def test_bytes_after_the_end(path):
    path.write_bytes(path.read_bytes() + b"more")
    refused(path, "is not a weights file", "tensors take the bytes 0 to")


def test_garbage(tmp_path):
    path = tmp_path / "picture.safetensors"
    path.write_bytes(bytes(range(256)) * 40)
    refused(path, "is not a weights file")


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x80\x02}q\x00"])
def test_a_pytorch_file(tmp_path, start):
    path = tmp_path / "official.safetensors"
    path.write_bytes(start + bytes(100))
    refused(path, "is a PyTorch file, which only `selfhvd weights convert` opens")


# A header that is not true


def table_of(data: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def rewritten(path, change) -> None:
    """The file with its header changed and its numbers as they were."""
    table, numbers = table_of(path.read_bytes())
    text = change(table)
    header = (text if isinstance(text, str) else json.dumps(table)).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + numbers)


@pytest.mark.parametrize("length", [10**8, 2**40, 2**63, 2**64 - 1])
def test_huge_header(path, length):
    path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:])
    refused(path, f"its header claims {length} bytes (at most 16777216 are allowed)")


def test_a_header_longer_than_the_file(path):
    path.write_bytes(struct.pack("<Q", 10**7) + path.read_bytes()[8:])
    refused(path, "cut off", "10000008")


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '"x"', "[" * 10**5, '{"a": NaN', "\udcff"])
def test_a_header_that_is_no_table(path, text):
    header = text.encode(errors="surrogateescape")
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    refused(path, "its header is")


def test_a_name_twice(path):
    table, _ = table_of(path.read_bytes())
    entry = json.dumps(table["head.bias"])
    rewritten(path, lambda table: json.dumps(table)[:-1] + f', "head.bias": {entry}}}')
    refused(path, "names something twice")


def test_overlapping_tensors(path):
    def overlap(table):
        first = min((v["data_offsets"], k) for k, v in table.items() if k != "__metadata__")[1]
        table["tail.bias"]["data_offsets"] = [0, 4 * table["tail.bias"]["shape"][0]]
        assert first != "tail.bias"

    rewritten(path, overlap)
    refused(path, "overlap (one ends at byte", "tail.bias")


def test_a_gap(path):
    rewritten(path, lambda table: table.pop("head.weight") and None)
    refused(path, "leave a gap")


@pytest.mark.parametrize("place", [[-4, 28], [28, 0], [0], [0, 2**70], "all", [0.0, 32.0], [True, 32], None])
def test_a_place_that_makes_no_sense(path, place):
    rewritten(path, lambda table: table["head.bias"].update(data_offsets=place))
    refused(path, "the tensor head.bias")


@pytest.mark.parametrize("shape", [[9], [-8], [8, 2**62], ["8"], 8, [1] * 17, [[8]], [2.0, 4.0]])
def test_a_shape_that_is_not_the_size(path, shape):
    rewritten(path, lambda table: table["head.bias"].update(shape=shape))
    refused(path, "the tensor head.bias", "shape")


@pytest.mark.parametrize("kind", ["F8_E4M3", "C64", "float", 3, None, ["F32"]])
def test_unknown_kinds_of_numbers(path, kind):
    rewritten(path, lambda table: table["head.bias"].update(dtype=kind))
    refused(path, "the tensor head.bias holds numbers of the kind")


@pytest.mark.parametrize("entry", [None, 7, [], {"dtype": "F32"}])
def test_an_entry_that_says_nothing(path, entry):
    rewritten(path, lambda table: table.update({"head.bias": entry}))
    refused(path, "the header's entry head.bias says no kind, shape and place")


@pytest.mark.parametrize("texts", [[], {"backbone": 7}, "lite"])
def test_metadata_that_are_no_texts(path, texts):
    rewritten(path, lambda table: table.update(__metadata__=texts))
    refused(path, "its metadata are not texts")


def test_names_of_a_stranger_do_not_reach_the_terminal(path):
    name = "\x1b[2J\nowned" + "x" * 10**5
    rewritten(path, lambda table: table.update({name: table.pop("head.bias")}))
    with pytest.raises(WeightsError) as caught:
        load_weights(path)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400 + len(str(path))


# A header that is true, of tensors that do not fit


def written(tmp_path, state, **metadata: str):
    path = tmp_path / "other.safetensors"
    save_file({k: v.clone() for k, v in state.items()}, path, metadata=metadata or None)
    return path


LITE = {"backbone": "lite", "config": json.dumps({"widths": SMALL.widths, "blocks": SMALL.blocks})}


def test_missing_keys(tmp_path, network):
    state = network.state_dict()
    shape = list(state["head.weight"].shape)
    del state["head.weight"]
    refused(written(tmp_path, state, **LITE), f"it lacks head.weight of shape {shape};")
    del state["head.bias"]
    refused(written(tmp_path, state, **LITE), "it lacks head.weight of shape", "(and 1 more)")


def test_extra_keys(tmp_path, network):
    state = {**network.state_dict(), "backdoor.weight": torch.zeros(2, 3)}
    refused(written(tmp_path, state, **LITE), "it has backdoor.weight of shape [2, 3] too many")


def test_wrong_shapes(tmp_path, network):
    state = {**network.state_dict(), "head.bias": torch.zeros(9)}
    refused(written(tmp_path, state, **LITE), "its head.bias has the shape [9] instead of [8]")


def test_whole_numbers_where_real_ones_belong(tmp_path, network):
    state = {**network.state_dict(), "head.bias": torch.zeros(8, dtype=torch.int32)}
    refused(written(tmp_path, state, **LITE), "its head.bias holds numbers of the kind torch.int32")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite(path, network, value):
    with torch.no_grad():
        network.head.weight[0, 0, 0, 0] = value
    save_weights(path, network, "lite")
    refused(path, "not finite", "head.weight")


def test_values_that_float32_cannot_hold(tmp_path, network):
    state = {**network.state_dict(), "head.bias": torch.full((8,), 1e300, dtype=torch.float64)}
    refused(written(tmp_path, state, **LITE), "not finite", "head.bias")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_load_as_float32(tmp_path, network, kind):
    state = {k: v.to(kind) for k, v in network.state_dict().items()}
    loaded = load_weights(written(tmp_path, state, **LITE))
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert torch.equal(loaded.head.weight, state["head.weight"].float())


def test_unknown_network(tmp_path, network):
    path = written(tmp_path, network.state_dict(), backbone="huge", config="{}")
    refused(path, "huge", "of a network known here", "lite, ")


def test_foreign_file_without_a_name(tmp_path, network):
    refused(written(tmp_path, network.state_dict()), "of a network known here", "`selfhvd weights convert`")


def test_configuration_of_another_size(tmp_path, network):
    config = json.dumps({"name": "lite", "widths": [8, 12, 24], "blocks": [1, 2, 1]})
    refused(written(tmp_path, network.state_dict(), backbone="lite", config=config), "has the shape [", "instead of [")


CONFIGS = {
    '{"depth": 3}': "there is no setting depth, only name, widths, blocks",
    '{"widths": [8, 12]}': "the setting widths cannot be [8, 12], only tuple[int, int, int]",
    '{"widths": [8, 12, "16"]}': "the setting widths cannot be",
    '{"widths": [8, 12, 1e9]}': "the setting widths cannot be",
    '{"blocks": [1, 2, 1000000000]}': "the setting blocks cannot be",
    '{"blocks": [1, 2, true]}': "the setting blocks cannot be",
    '{"name": "estrnn"}': "the setting name cannot be estrnn, only lite",
    '{"widths": [8, -12, 16]}': "its configuration does not describe a network",
    "": "no table of settings",
    "{": "no table of settings",
    "[]": "no table of settings",
    "7": "no table of settings",
    "[" * 20000: "no table of settings",
    '{"name": "lite"' + " " * 20000 + "}": "no table of settings",
}


@pytest.mark.parametrize("config", CONFIGS)
def test_configurations(tmp_path, network, config):
    refused(written(tmp_path, network.state_dict(), backbone="lite", config=config), CONFIGS[config])


def test_a_huge_network_takes_no_memory(tmp_path, network, monkeypatch):
    """The file is small, the network it asks for would be of 10 GB: settled before anything is made."""
    built, devices = Lite.__init__, []

    def build(self, config):
        built(self, config)
        devices.append(self.head.weight.device.type)

    monkeypatch.setattr(Lite, "__init__", build)
    config = json.dumps({"widths": [4096, 4096, 4096], "blocks": [1, 2, 1]})
    refused(written(tmp_path, network.state_dict(), backbone="lite", config=config), "has the shape")
    assert devices == ["meta"]
    load_weights(written(tmp_path, network.state_dict(), **LITE))
    assert devices == ["meta", "meta", "cpu"]


RANGES = {place: (-1.5, 2.25) for place in places(Lite(SMALL))}


def test_ranges_come_back_and_go_with_the_weights(tmp_path, network):
    save_weights(tmp_path / "a.safetensors", network, "lite", {"ranges": as_text(RANGES)})
    loaded = load_weights(tmp_path / "a.safetensors")
    assert isinstance(loaded, Lite) and loaded.ranges == RANGES
    assert "ranges" not in read_facts(tmp_path / "a.safetensors").notes
    save_weights(tmp_path / "b.safetensors", loaded, "lite")
    again = load_weights(tmp_path / "b.safetensors")
    assert isinstance(again, Lite) and not again.ranges


@pytest.mark.parametrize(
    "told",
    [
        "",
        "[]",
        "{}",
        "[" * 2000,
        json.dumps({**RANGES, "more": [0, 1]}),
        json.dumps({**RANGES, "quarter": [0]}),
        json.dumps({**RANGES, "quarter": ["0", "1"]}),
        json.dumps({**RANGES, "quarter": [1, 2]}),
        json.dumps({**RANGES, "quarter": [-1, 1e9]}),
        json.dumps({**RANGES, "quarter": [-1, float("nan")]}),
        json.dumps({**RANGES, "quarter": [-1, 10**400]}),
    ],
)
def test_ranges_that_are_none_are_refused(tmp_path, network, told):
    save_weights(tmp_path / "a.safetensors", network, "lite", {"ranges": told})
    refused(tmp_path / "a.safetensors", "ranges")
