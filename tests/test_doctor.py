"""The doctor: what is here, and whether the default can run."""

import json
from types import SimpleNamespace

import pytest

from selfhvd.errors import DeviceError, WeightsError


def test_a_machine_that_can(run):
    shown = run("doctor", "--json")
    facts = json.loads(shown.out)
    assert shown.code == 0 and facts["runs"] and facts["exit_code"] == 0 and facts["faults"] == []
    assert facts["devices"][-1] == "cpu" and facts["cores"] >= 1 and facts["memory_total"] > facts["memory_free"] > 0
    assert facts["encoders"]["libx264"] and "libavcodec" in facts["libraries"]
    assert facts["weights"]["lite"].endswith(".safetensors") and set(facts["extras"]) == {
        "train", "cluster", "flow-zoo", "tensorboard", "lpips", "iqa",
    }  # fmt: skip
    assert facts["temporary"]["writable"] and facts["temporary"]["free"] > 0


def test_in_words(run):
    shown = run("doctor")
    assert shown.code == 0 and shown.out.endswith("The default can run.\n")
    assert "libx264 yes" in shown.out and "auto takes" in shown.out


@pytest.mark.parametrize(
    ("what", "error", "code"),
    [
        ("load_weights", WeightsError("base.safetensors is torn."), 6),
        ("pick_device", DeviceError("There is no device."), 5),
        ("pick_device", RuntimeError("no kernel image\nand more"), 5),
    ],
)
def test_what_is_wrong(run, monkeypatch, what, error, code):
    def fail(*given):
        raise error

    monkeypatch.setattr(f"selfhvd.cli.diagnosis.{what}", fail)
    shown = run("doctor", "-q")
    assert (shown.code, shown.out) == (code, "")
    assert len(shown.err.splitlines()) == 1 and str(error).splitlines()[0].rstrip(".") in shown.err
    assert json.loads(run("doctor", "--json").out)["exit_code"] == code


def test_little_memory(run, monkeypatch):
    little = SimpleNamespace(total=10**9, available=10**8)
    monkeypatch.setattr("selfhvd.cli.diagnosis.psutil.virtual_memory", lambda: little)
    shown = run("doctor", "-q")
    assert shown.code == 5 and "Only 0.1 GB of memory are free" in shown.err


def test_no_encoder(run, monkeypatch):
    monkeypatch.setattr("selfhvd.cli.diagnosis._encodes", lambda name: name != "libx264")
    shown = run("doctor", "-q")
    assert shown.code == 4 and "libx264" in shown.err
