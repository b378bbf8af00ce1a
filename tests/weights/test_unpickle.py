"""Foreign pickles: a payload is named and refused and never runs, whatever shape it comes in."""

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from selfhvd.backbones import EstRnn, EstRnnConfig
from selfhvd.errors import WeightsError
from selfhvd.weights import load_weights, opening, unpickle
from selfhvd.weights.conversion import convert

pytestmark = pytest.mark.subprocess

ROOM = 2**28


class Payload:
    """Asks the unpickler to call `function(*given)`."""

    def __init__(self, function, *given):
        self.asked = function, given

    def __reduce__(self):
        return self.asked


def marker(folder: Path) -> Path:
    return folder / "the-payload-ran"


def by_system(folder):
    return Payload(os.system, f"touch '{marker(folder)}'")


def by_eval(folder):
    return Payload(eval, f"open({str(marker(folder))!r}, 'w').close()")


def by_open(folder):
    return Payload(io.open, str(marker(folder)), "w")


def by_process(folder):
    return Payload(subprocess.Popen, ["touch", str(marker(folder))])


def by_getattr(folder):
    return Payload(getattr, Path, str(marker(folder)))


ASKS = {by_system: "posix.system", by_eval: ".eval", by_open: "open", by_process: "Popen", by_getattr: ".getattr"}


def bare(path, payload, protocol):
    path.write_bytes(pickle.dumps(payload, protocol=protocol))


def zipped(path, payload, protocol):
    torch.save({"state_dict": {"a": torch.zeros(2)}, "meta": payload}, path, pickle_protocol=protocol)


def older(path, payload, protocol):
    content = {"state_dict": {"a": torch.zeros(2)}, "meta": payload}
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=False)


def among_tensors(path, payload, protocol):
    torch.save({"a": torch.zeros(2), "b": payload}, path, pickle_protocol=protocol)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("wrap", [bare, zipped, older, among_tensors])
@pytest.mark.parametrize("attack", ASKS)
def test_payloads(tmp_path, attack, wrap, protocol):
    source, target = tmp_path / "weights.pth", tmp_path / "out.safetensors"
    wrap(source, attack(tmp_path), protocol)
    told = unpickle.extract(source, target, ROOM)
    assert told["fault"] == "unsafe" and any(ASKS[attack] in name for name in told["asks"]), told
    assert not marker(tmp_path).exists() and not target.exists()


@pytest.mark.parametrize("attack", [by_system, by_eval])
def test_the_payloads_are_real(tmp_path, attack):
    """Python's own unpickler falls for them: a test that could not fail would prove nothing."""
    pickle.loads(pickle.dumps(attack(tmp_path)))
    assert marker(tmp_path).exists()


@pytest.mark.slow
def test_a_good_file_in_a_process_of_its_own(tmp_path):
    """The whole way; `test_cli_weights` sends a payload the same way."""
    network = EstRnn(EstRnnConfig(features=4, blocks=1))
    torch.save({"state_dict": network.state_dict()}, tmp_path / "weights.pth")
    assert convert(tmp_path / "weights.pth", tmp_path / "out.safetensors") == "estrnn"
    loaded = load_weights(tmp_path / "out.safetensors").state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in network.state_dict().items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.safetensors", "weights.pth"]


def test_the_process_sees_no_secrets(tmp_path, monkeypatch):
    given = {}

    def run(words, **named):
        given.update(named, words=words)
        return subprocess.CompletedProcess(words, 0, b'{"fault": "memory"}', b"")

    monkeypatch.setenv("MY_TOKEN", "secret")
    monkeypatch.setattr(subprocess, "run", run)
    (tmp_path / "x.pth").write_bytes(b"PK")
    with pytest.raises(WeightsError, match="claims more numbers"):
        convert(tmp_path / "x.pth", tmp_path / "x.safetensors")
    assert "MY_TOKEN" not in given["env"] and given["timeout"] == opening._SECONDS
    assert given["words"][1] == "-P" and given["stdin"] == subprocess.DEVNULL


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of a process are measured as Linux has them")
def test_the_process_has_limits(tmp_path):
    """Room for 64 MB more: 1 GB cannot be taken, nor a file of 1 GB be written."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import unpickle; unpickle._limit(2**26)\n"
        "import resource\n"
        "try: bytearray(2**30); print('taken')\n"
        "except MemoryError: print('no memory')\n"
        "print(resource.getrlimit(resource.RLIMIT_FSIZE)[0], resource.getrlimit(resource.RLIMIT_CPU)[0])"
    )
    folder = str(Path(unpickle.__file__).parent)
    done = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["no memory", f"{2**26} {unpickle._CPU_SECONDS}"]


OUTCOMES = {
    "hangs": (lambda *a, **k: (_ for _ in ()).throw(subprocess.TimeoutExpired("x", 1)), "took more than 300 s"),
    "crashes": (lambda w, **k: subprocess.CompletedProcess(w, -11, b"", b""), "ended without an answer (code -11)"),
    "babbles": (lambda w, **k: subprocess.CompletedProcess(w, 0, b"hello", b""), "ended without an answer"),
    "lies": (lambda w, **k: subprocess.CompletedProcess(w, 0, b'{"tensors": 3}', b""), "There is no weights file"),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_process_that_goes_wrong(tmp_path, monkeypatch, outcome):
    run, sentence = OUTCOMES[outcome]
    monkeypatch.setattr(subprocess, "run", run)
    (tmp_path / "x.pth").write_bytes(b"PK")
    with pytest.raises(WeightsError) as caught:
        convert(tmp_path / "x.pth", tmp_path / "x.safetensors")
    assert sentence in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["x.pth"]


# What is no attack, but no weights either


def damaged(source: Path) -> str:
    told = unpickle.extract(source, source.with_suffix(".out"), ROOM)
    assert told["fault"] == "damaged" and not source.with_suffix(".out").exists(), told
    return told["told"]


def test_texts_and_pages(tmp_path):
    path = tmp_path / "x.pth"
    for content in (b"", b"Dear diary\n" * 50, b"<html>" * 50, b"\x80\x02]q\x00.", bytes(500)):
        path.write_bytes(content)
        assert damaged(path)


def test_cut_files(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"a": torch.zeros(1000)}, path)
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        assert damaged(path)


def test_other_things_than_tensors(tmp_path):
    torch.save([1, 2], tmp_path / "x.pth")
    assert damaged(tmp_path / "x.pth") == "it holds a list instead of named tensors"


def test_a_whole_module_names_its_class(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "x.pth")
    told = unpickle.extract(tmp_path / "x.pth", tmp_path / "x.out", ROOM)
    assert told["fault"] == "unsafe" and "torch.nn.modules.linear.Linear" in told["asks"]


def test_one_number_that_claims_to_be_a_billion(tmp_path):
    torch.save({"a": torch.zeros(1).expand(10**12)}, tmp_path / "x.pth")
    assert unpickle.extract(tmp_path / "x.pth", tmp_path / "x.out", ROOM) == {"fault": "memory"}


def test_a_pickle_that_is_not_inside_a_good_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert damaged(tmp_path / "x.pth")


# What is good


@pytest.mark.parametrize(
    "container", ["", "state_dict", "params", "params_ema", "model", "model_state", "model_state_dict"]
)
def test_containers(tmp_path, container):
    state = {"a": torch.rand(2, 3), "b": torch.zeros((), dtype=torch.int64)}
    content = {"epoch": 3, "model": "ESTRNN", container: state, "optimizer": {"lr": 0.1}} if container else state
    torch.save(content, tmp_path / "x.pth")
    assert json.loads(json.dumps(unpickle.extract(tmp_path / "x.pth", tmp_path / "out", ROOM))) == {"tensors": 2}
    read = load_file(tmp_path / "out")
    assert read.keys() == state.keys() and all(torch.equal(read[k], state[k]) for k in state)


def test_the_averaged_weights_are_preferred(tmp_path):
    torch.save({"params": {"a": torch.zeros(1)}, "params_ema": {"a": torch.ones(1)}}, tmp_path / "x.pth")
    unpickle.extract(tmp_path / "x.pth", tmp_path / "out", ROOM)
    assert load_file(tmp_path / "out")["a"] == 1


def test_tensors_that_share_memory_and_views(tmp_path):
    whole = torch.arange(12.0)
    torch.save({"a": whole, "b": whole, "c": whole.view(3, 4).T, "note": "text"}, tmp_path / "x.pth")
    assert unpickle.extract(tmp_path / "x.pth", tmp_path / "out", ROOM) == {"tensors": 3}
    assert torch.equal(load_file(tmp_path / "out")["c"], whole.view(3, 4).T)
