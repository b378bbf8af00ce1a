"""Files that are no checkpoint, or not one in one file, are called what they are, with what to do, before opening."""

import gzip

import numpy as np
import pytest
import torch
from torch import nn

from selfhvd.backbones import EstRnn, EstRnnConfig
from selfhvd.errors import WeightsError
from selfhvd.weights import load_weights, opening, unpickle
from selfhvd.weights.conversion import convert


@pytest.fixture(autouse=True)
def opened_here(monkeypatch):
    """As the process would say it."""

    def opened(source, out, raw):
        told = unpickle.extract(source, out, 2**28, raw)
        if fault := told.get("fault"):
            raise WeightsError(opening._refusal(source, fault, told, 0))
        return told

    monkeypatch.setattr(opening, "_unpickle", opened)


def refusal(source) -> str:
    with pytest.raises(WeightsError) as caught:
        convert(source, source.parent / "out.safetensors")
    assert not (source.parent / "out.safetensors").exists()
    return str(caught.value)


STARTS = {
    "x.pth": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "Git LFS file; fetch the file"),
    "y.pth": (b"\n<!DOCTYPE html><html>Virus scan warning</html>", "a web page and not the file behind it"),
    "z.pth": (gzip.compress(b"weights"), "a packed file; unpack it"),
    "k.h5": (b"\x89HDF\r\n\x1a\n" + bytes(60), "an HDF5 file, as Keras writes"),
    "model.safetensors.index.json": (
        b'{\n  "metadata": {"total_size": 9},\n  "weight_map": {}\n}',
        "the index of a checkpoint in several files; put the tensors of all its files into one",
    ),
    "pytorch_model-00002-of-00003.bin": (b"PK", "part 2 of 3 of a checkpoint; put the tensors"),
    "model-00001-of-00002.safetensors": (b"", "part 1 of 2 of a checkpoint; put the tensors"),
}


@pytest.mark.parametrize("name", STARTS)
def test_told_by_how_it_begins(tmp_path, name):
    content, words = STARTS[name]
    (tmp_path / name).write_bytes(content)
    assert words in refusal(tmp_path / name)


def test_a_part_that_is_the_whole(tmp_path):
    source = tmp_path / "model-00001-of-00001.bin"
    torch.save(EstRnn(EstRnnConfig(features=4, blocks=1)).state_dict(), source)
    assert convert(source, tmp_path / "y.safetensors") == "estrnn"


def test_programs(tmp_path):
    torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(str(tmp_path / "x.pt"))
    assert "is a TorchScript program; give the checkpoint" in refusal(tmp_path / "x.pt")
    torch.export.save(torch.export.export(nn.Linear(2, 2), (torch.zeros(1, 2),)), tmp_path / "x.pt2")
    assert "is a program made by torch.export; give the checkpoint" in refusal(tmp_path / "x.pt2")


def test_arrays_of_numpy(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.zeros(3))
    np.save(tmp_path / "x.npy", np.zeros(3))
    assert "arrays of NumPy; save them as tensors" in refusal(tmp_path / "x.npz")
    assert "an array of NumPy; save its tensors" in refusal(tmp_path / "x.npy")


def test_folders(tmp_path):
    assert "is a folder; give the file in it." in refusal(tmp_path)
    (tmp_path / ".metadata").write_bytes(b"")
    assert "torch.distributed.checkpoint.format_utils dcp_to_torch" in refusal(tmp_path)


@pytest.mark.parametrize("older", [False, True])
def test_a_later_protocol_of_pickle(tmp_path, older):
    zipped = not older
    torch.save({"a": torch.ones(2)}, tmp_path / "x.pth", pickle_protocol=4, _use_new_zipfile_serialization=zipped)
    assert "its pickle is of protocol 4 and only 2 is read safely; save it anew with torch.save" in refusal(
        tmp_path / "x.pth"
    )


@pytest.mark.slow
def test_the_older_format(tmp_path):
    network = EstRnn(EstRnnConfig(features=4, blocks=1))
    torch.save(network.state_dict(), tmp_path / "x.pth", _use_new_zipfile_serialization=False)
    assert convert(tmp_path / "x.pth", tmp_path / "y.safetensors") == "estrnn"
    loaded = load_weights(tmp_path / "y.safetensors").state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in network.state_dict().items())


TENSORS = {
    "eight bits": (lambda: torch.zeros(3).to(torch.float8_e4m3fn), "holds numbers of the kind float8_e4m3fn"),
    "complex": (lambda: torch.zeros(3, dtype=torch.complex64), "holds numbers of the kind complex64"),
    "quantized": (lambda: torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8), "of the kind qint8"),
    "sparse": (lambda: torch.zeros(3).to_sparse(), "is a tensor without stored numbers of its own"),
    "nowhere": (lambda: torch.zeros(3, device="meta"), "is a tensor without stored numbers of its own"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", TENSORS)
def test_tensors_no_network_here_has(tmp_path, kind):
    made, words = TENSORS[kind]
    torch.save({"a": made()}, tmp_path / "x.pth")
    told = refusal(tmp_path / "x.pth")
    assert "x.pth was not converted: its a " in told and words in told


def test_no_tensors(tmp_path):
    torch.save({"deblurrer": {"a": torch.zeros(1)}, "epoch": 3}, tmp_path / "x.pth")
    assert "was not converted: it holds no named tensors, only deblurrer, epoch; save the state_dict()" in refusal(
        tmp_path / "x.pth"
    )
