"""From a name in the table to weights in the cache: download, convert, keep; and two at once."""

import hashlib
import threading
from dataclasses import replace

import pytest
import torch

from selfhvd.backbones import EstRnn, EstRnnConfig
from selfhvd.errors import OutputError, UsageError, WeightsError
from selfhvd.weights import cached, load_weights, opening, unpickle
from selfhvd.weights import fetch as fetching
from selfhvd.weights.facts import read_facts
from selfhvd.weights.fetch import fetch
from selfhvd.weights.known import CHECKPOINTS, Checkpoint


@pytest.fixture
def shelf(site, tmp_path, monkeypatch):
    """A checkpoint on the server, named in the table; opened in this process, since another takes seconds."""
    torch.manual_seed(0)
    network = EstRnn(EstRnnConfig(features=4, blocks=1))
    torch.save({"state_dict": {f"module.model.{k}": v for k, v in network.state_dict().items()}}, tmp_path / "o.pth")
    site.content = (tmp_path / "o.pth").read_bytes()
    sha256 = hashlib.sha256(site.content).hexdigest()
    small = Checkpoint("small", "estrnn", "MIT", "clips", url=site.url, sha256=sha256[:8], options=(("colour", "rgb"),))
    free = replace(small, name="small-nc", licence="CC-BY-NC-4.0", non_commercial=True)
    monkeypatch.setattr("selfhvd.weights.known.CHECKPOINTS", (*CHECKPOINTS, small, free))
    monkeypatch.setattr(opening, "_unpickle", lambda source, out, raw: unpickle.extract(source, out, 2**30, raw))
    monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path / "cache"))
    return network


def test_fetch(shelf, site, tmp_path):
    told = []
    path = fetch("small", on_progress=lambda *now: told.append(now))
    assert path == cached("small") == tmp_path / "cache" / "small.safetensors"
    loaded = load_weights(path, "estrnn")
    assert loaded.config == replace(shelf.config, colour="rgb")
    assert all(torch.equal(v, shelf.state_dict()[k]) for k, v in loaded.state_dict().items())
    assert {step for step, _, _ in told} == {"download", "convert"}
    facts = read_facts(path)
    assert facts.licence == "MIT" and facts.notes["source"] == site.url and facts.notes["checkpoint"] == "small"
    assert facts.notes["source_sha256"] == hashlib.sha256(site.content).hexdigest()
    assert sorted(p.name for p in path.parent.iterdir()) == ["small.lock", "small.safetensors"]
    assert fetch("small") == path and len(site.asked) == 1
    assert fetch("small", again=True) == path and len(site.asked) == 2


def test_a_licence_to_accept(shelf, site):
    with pytest.raises(UsageError, match=r"under CC-BY-NC-4.0, for non-commercial use only; .*--accept-license"):
        fetch("small-nc")
    assert site.asked == [] and cached("small-nc") is None
    assert read_facts(fetch("small-nc", accept_license=True)).licence == "CC-BY-NC-4.0"


def test_what_cannot_be_fetched():
    with pytest.raises(WeightsError, match=r"cannot fetch estrnn: open https://drive.google.com/\S+ in a browser"):
        fetch("estrnn")
    with pytest.raises(WeightsError, match="nobody has published weights of IFIRNN"):
        fetch("ifirnn")
    with pytest.raises(UsageError, match="no known weights called nix"):
        fetch("nix")


def test_a_file_that_is_not_what_it_should_be(shelf, site, tmp_path, monkeypatch):
    site.content = b"Dear diary"
    monkeypatch.setattr(opening, "_unpickle", lambda source, out, raw: opening.read_header(source))
    small = replace(fetching.known("small"), sha256=None)
    monkeypatch.setattr("selfhvd.weights.known.CHECKPOINTS", (small,))
    with pytest.raises(WeightsError, match="is not a weights file"):
        fetch("small")
    assert cached("small") is None and [p.name for p in (tmp_path / "cache").iterdir()] == ["small.lock"]


def test_two_at_once(shelf, site):
    """The second waits, and finds the file of the first."""
    reached, go_on, waited, paths = threading.Event(), threading.Event(), threading.Event(), []

    def first(step, done, total):
        reached.set()
        assert go_on.wait(20)

    def second(step, done, total):
        assert step == "wait"
        waited.set()
        go_on.set()

    threads = [
        threading.Thread(target=lambda tell=tell: paths.append(fetch("small", on_progress=tell)))
        for tell in (first, second)
    ]
    threads[0].start()
    assert reached.wait(20)
    threads[1].start()
    for thread in threads:
        thread.join(30)
    assert waited.is_set() and len(site.asked) == 1 and len(set(paths)) == 1 and len(paths) == 2


def test_a_cache_that_cannot_be_made(shelf, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OutputError, match="set SELFHVD_CACHE to another folder"):
        fetch("small")
