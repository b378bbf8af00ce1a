"""The table of checkpoints, and the cache."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from torchvision.models import VGG19_Weights
from torchvision.models.optical_flow import Raft_Large_Weights

from selfhvd.errors import UsageError
from selfhvd.method.perceptual import vgg_path
from selfhvd.weights.cache import at_hand, cache_folder, cached
from selfhvd.weights.file import TABLES
from selfhvd.weights.known import CHECKPOINTS, known

NAMES = [checkpoint.name for checkpoint in CHECKPOINTS]


def test_names_are_different():
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_of_a_network_here(name):
    assert any(known(name).network in table for table in TABLES.values())


@pytest.mark.parametrize("name", NAMES)
def test_each_says_where_it_is(name):
    checkpoint = known(name)
    assert (checkpoint.url is None) == bool(checkpoint.by_hand)
    assert checkpoint.url is None or urlsplit(checkpoint.url).scheme == "https"
    assert checkpoint.licence and checkpoint.trained_on


@pytest.mark.parametrize("name", NAMES)
def test_the_hash_in_a_file_name_is_the_one_checked(name):
    """torch's habit: the file's name ends with the first eight digits of its SHA-256."""
    checkpoint = known(name)
    ending = Path(checkpoint.url or "").stem.rpartition("-")[2]
    in_name = ending if len(ending) == 8 and set(ending) <= set("0123456789abcdef") else None
    assert in_name == checkpoint.sha256


def test_non_commercial_licences_are_marked():
    assert {c.name for c in CHECKPOINTS if "NC" in c.licence} == {c.name for c in CHECKPOINTS if c.non_commercial}
    assert known("rvrt-gopro").non_commercial and known("rvrt-dvd").non_commercial


@pytest.mark.parametrize(
    ("name", "weights"), [("raft", Raft_Large_Weights.DEFAULT), ("vgg19", VGG19_Weights.IMAGENET1K_V1)]
)
def test_torchvision_says_the_same(name, weights):
    assert known(name).url == weights.url and known(name).megabytes == weights.meta["_file_size"]


def test_unknown_names():
    with pytest.raises(UsageError, match="no known weights called nix; known are basicvsrpp-gopro, "):
        known("nix")


def test_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path and cached("rvrt-dvd") is None and at_hand("rvrt") is None
    (tmp_path / "rvrt-dvd.safetensors").write_bytes(b"")
    assert cached("rvrt-dvd") == at_hand("rvrt") == tmp_path / "rvrt-dvd.safetensors"
    (tmp_path / "rvrt-gopro.safetensors").write_bytes(b"")
    assert at_hand("rvrt") == tmp_path / "rvrt-gopro.safetensors"
    assert at_hand("lite") is None
    with pytest.raises(UsageError):
        cached("nix")


def test_the_perceptual_loss_looks_into_the_same_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path))
    assert vgg_path() == tmp_path / known("vgg19").filename


@pytest.mark.parametrize(
    ("platform", "variable", "rest"),
    [("linux", "XDG_CACHE_HOME", "selfhvd"), ("win32", "LOCALAPPDATA", "selfhvd/Cache")],
)
def test_cache_of_the_platform(tmp_path, monkeypatch, platform, variable, rest):
    monkeypatch.delenv("SELFHVD_CACHE", raising=False)
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert cache_folder() == tmp_path / rest


def test_cache_without_any_variable(tmp_path, monkeypatch):
    for name in ("SELFHVD_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder() == tmp_path / ".cache" / "selfhvd"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "selfhvd"
