"""`selfhvd weights`: what it prints, its exit codes, one sentence on stderr."""

import argparse
import hashlib
import json
import os
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from selfhvd.backbones import EstRnn, EstRnnConfig
from selfhvd.weights import BASE_WEIGHTS, load_weights, opening, save_weights, unpickle
from selfhvd.weights.known import CHECKPOINTS


@pytest.fixture
def run(run, monkeypatch, tmp_path):
    monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path / "cache"))
    return partial(run, "weights")


@pytest.fixture
def opened_here(monkeypatch):
    monkeypatch.setattr(opening, "_unpickle", lambda source, out, raw: unpickle.extract(source, out, 2**30, raw))


@pytest.fixture
def official(tmp_path):
    """A tiny ESTRNN as its authors would save it."""
    network = EstRnn(EstRnnConfig(features=4, blocks=1))
    state = {f"module.model.{key}": value for key, value in network.state_dict().items()}
    torch.save({"epoch": 1, "model": "ESTRNN", "state_dict": state}, tmp_path / "official.tar")
    return tmp_path / "official.tar"


def assert_one_sentence(err):
    assert len(err.splitlines()) == 1 and err.startswith("selfhvd: ") and err.rstrip().endswith(".")
    assert "Traceback" not in err


def test_list(run, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "raft.safetensors").write_bytes(b"")
    shown = run("list")
    rows = {line.split()[0]: line for line in shown.out.splitlines() if line and not line.startswith(" ")}
    assert shown.code == 0 and shown.err == "" and all(checkpoint.name in rows for checkpoint in CHECKPOINTS)
    assert rows["raft"].split()[-1] == "yes" and rows["basicvsrpp-gopro"].split()[-1] == "fetch"
    assert "CC-BY-NC-4.0" in rows["rvrt-gopro"] and "(non-commercial)" in shown.out
    assert "estrnn: open https://drive.google.com/" in shown.out and "nobody has published weights" in shown.out
    assert "we have not tried them" in shown.out
    assert "estrnn: open" not in run("list", "-q").out


def test_list_json(run):
    facts = {row["name"]: row for row in json.loads(run("list", "--json").out)}
    assert list(facts) == [checkpoint.name for checkpoint in CHECKPOINTS]
    assert facts["rvrt-dvd"]["non_commercial"] and not facts["raft"]["non_commercial"]
    assert facts["raft"]["cached"] is None and facts["raft"]["sha256"] == "ff5fadd5"


@pytest.mark.subprocess
def test_list_needs_no_torch():
    code = "from selfhvd.cli.weights import show_known; show_known(); import sys; assert 'torch' not in sys.modules"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, stdout=subprocess.DEVNULL)


def test_convert(run, official, tmp_path, opened_here):
    target = tmp_path / "ours.safetensors"
    done = run("convert", official, target, "--option", "colour=rgb")
    assert (done.code, done.out, done.err) == (0, f"{target}\n", f"{official} holds estrnn.\n")
    assert load_weights(target).config == EstRnnConfig(features=4, blocks=1, colour="rgb")
    again = run("convert", official, target)
    assert again.code == 4 and "exists; give another name, or --overwrite" in again.err
    assert_one_sentence(again.err)
    options = ["--option", "past=3", "--option", "future=1"]
    done = run("convert", *options, "--backbone", "estrnn", official, target, "--overwrite", "-q")
    assert (done.code, done.err) == (0, "")
    assert load_weights(target).config == EstRnnConfig(features=4, blocks=1, past=3, future=1)


@pytest.mark.slow
def test_convert_says_what_it_took_and_what_it_passed_over(run, tmp_path):
    """In a process of its own, as a person would."""
    state = EstRnn(EstRnnConfig(features=4, blocks=1)).state_dict()
    compiled = {f"module._orig_mod.{key}": torch.zeros_like(value) for key, value in state.items()}
    source, target = tmp_path / "x.pth", tmp_path / "y.safetensors"
    torch.save({"opt": argparse.Namespace(lr=0.1), "net_g": compiled, "ema": state}, source)
    done = run("convert", source, target)
    assert done.code == 0 and done.err.splitlines() == [
        f"{source}: the averaged weights (ema) were taken, not the raw ones (net_g); --raw takes those.",
        f"{source}: objects beside the weights were passed over and nothing of them was run (argparse.Namespace).",
        f"{source} holds estrnn.",
    ]
    assert "(ema) were taken" in " ".join(run("info", target).out.split())
    done = run("convert", source, target, "--raw", "--overwrite")
    assert done.code == 0 and "the raw weights (net_g) were taken, not the averaged ones (ema)." in done.err
    assert not any(value.any() for value in load_weights(target).state_dict().values())


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--option", "colour"], 2, "--option colour is no setting; write NAME=VALUE"),
        (["--option", "colour=cmyk"], 2, "the setting colour cannot be cmyk, only rgb or bgr"),
        (["--network", "unet"], 2, "There is no network unet; known are lite"),
        (["--network", "ifirnn"], 6, "was not converted: it lacks rnncell0"),
    ],
)
def test_conversions_that_make_no_sense(run, official, tmp_path, opened_here, words, code, sentence):
    refused = run("convert", official, tmp_path / "ours.safetensors", *words)
    assert refused.code == code and sentence in refused.err and refused.out == ""
    assert_one_sentence(refused.err)
    assert [path.name for path in tmp_path.iterdir()] == [official.name]


class Payload:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


@pytest.mark.slow
def test_a_payload_never_runs(run, tmp_path):
    """By every door: as a file to convert (opened in a process of its own), as weights, as something to look into."""
    source, marker = tmp_path / "weights.pth", tmp_path / "ran"
    torch.save({"state_dict": {"a": torch.zeros(1)}, "meta": Payload(marker)}, source)
    refused = run("convert", source, tmp_path / "ours.safetensors")
    assert "is refused: it asks for posix.system, which no weights need, and nothing of it was run" in refused.err
    assert refused.code == 6
    assert_one_sentence(refused.err)
    refused = run("info", source)
    assert refused.code == 6 and "weights.pth is not a weights file" in refused.err
    assert_one_sentence(refused.err)
    source.rename(tmp_path / "weights.safetensors")
    refused = run("info", tmp_path / "weights.safetensors")
    assert refused.code == 6 and "only `selfhvd weights convert` opens" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]
    os.system(f"touch '{marker}'")
    assert marker.exists()


def test_a_bare_pickle_given_as_weights(run, tmp_path):
    source = tmp_path / "weights.pth"
    source.write_bytes(pickle.dumps(Payload(tmp_path / "ran"), protocol=2))
    refused = run("info", source)
    assert refused.code == 6 and "it is a PyTorch file" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        ("rvrt-gopro", 2, "for non-commercial use only; if you accept that, say so with --accept-license"),
        ("estrnn", 6, "A program cannot fetch estrnn: open https://"),
        ("nix", 2, "There are no known weights called nix"),
    ],
)
def test_fetches_that_cannot_be(run, tmp_path, name, code, sentence):
    refused = run("fetch", name)
    assert refused.code == code and sentence in refused.err
    assert_one_sentence(refused.err)
    assert not (tmp_path / "cache").exists()


def test_fetch(run, tmp_path, monkeypatch):
    def fetched(name, *, accept_license, again, on_progress):
        assert (name, accept_license, again) == ("sea-raft-s", True, True)
        on_progress("wait", 0, 0)
        on_progress("download", 3 * 2**20, 5 * 2**20)
        save_weights(path, EstRnn(EstRnnConfig(features=4, blocks=1)), "estrnn", {"source_sha256": "abc"})
        return path

    path = tmp_path / "fetched.safetensors"
    monkeypatch.setattr("selfhvd.weights.fetch.fetch", fetched)
    done = run("fetch", "sea-raft-s", "--accept-license", "--again")
    assert (done.code, done.out) == (0, f"{path}\n")
    assert "Another selfhvd is fetching this" in done.err and "download, MB: 3/5" in done.err
    assert "no hash is published for sea-raft-s; what came has the SHA-256 abc." in done.err
    assert run("fetch", "sea-raft-s", "--accept-licence", "--again", "-q").err == ""


def test_an_interrupted_fetch_says_that_it_goes_on(run, monkeypatch):
    def stop(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr("selfhvd.weights.fetch.fetch", stop)
    stopped = run("fetch", "raft", "-q")
    assert stopped.code == 130 and "the same command goes on from there" in stopped.err
    assert_one_sentence(stopped.err)


def test_info(run, tmp_path):
    path, network = tmp_path / "x.safetensors", EstRnn(EstRnnConfig(features=4, blocks=1))
    save_weights(path, network, "estrnn", {"trained_on": "clips"})
    shown = run("info", path)
    words = " ".join(shown.out.split())
    assert shown.code == 0 and f"parameters {sum(p.numel() for p in network.parameters()):,}" in words
    assert "network estrnn (backbone)" in words and "blocks 1, past 2" in words and "trained on clips" in words
    assert "licence not stated in the file" in words
    facts = json.loads(run("info", path, "--json").out)
    assert facts["network"] == "estrnn" and facts["settings"]["blocks"] == 1 and facts["path"] == str(path)
    assert facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest() and facts["sha256"] in shown.out


def test_info_of_what_is_shipped(run):
    assert json.loads(run("info", BASE_WEIGHTS, "--json").out)["network"] == "lite"


def test_info_by_name(run, tmp_path):
    (tmp_path / "cache").mkdir()
    path = tmp_path / "cache" / "estrnn.safetensors"
    save_weights(path, EstRnn(EstRnnConfig(features=4, blocks=1)), "estrnn", {"licence": "MIT"})
    shown = run("info", "estrnn")
    assert shown.code == 0 and str(path) in shown.out.replace("\n", "") and "MIT" in shown.out
    missing = run("info", "raft")
    assert missing.code == 6 and "There is no weights file at raft" in missing.err


def test_info_of_a_damaged_file(run, tmp_path):
    network = EstRnn(EstRnnConfig(features=4, blocks=1))
    with torch.no_grad():
        network.cell.F_B0.bias[0] = float("nan")
    save_weights(tmp_path / "x.safetensors", network, "estrnn")
    refused = run("info", tmp_path / "x.safetensors")
    assert refused.code == 6 and "not finite" in refused.err and "cell.F_B0.bias" in refused.err
    assert_one_sentence(refused.err)


@pytest.mark.parametrize("command", ["", "list", "fetch", "convert", "info"])
def test_help(run, command):
    shown = run(*command.split(), "--help")
    words = " ".join(shown.out.replace("│", " ").split())
    assert shown.code == 0 and shown.err == ""
    wanted = {"": "Exit codes: 0 good", "list": "--json", "fetch": "--accept-license", "convert": "--option colour=rgb"}
    assert wanted.get(command, "--json") in words
