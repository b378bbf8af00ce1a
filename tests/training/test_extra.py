"""What the extra `train` brings, and who does without it."""

import sys

import pytest

from clips_for_tests import quick, views
from datasets_for_training import command, tables
from selfhvd.run.deblurrer import Deblurrer


@pytest.fixture
def without(monkeypatch):
    """Neither of its packages is there."""
    for package in ("lightning_fabric", "lightning_fabric.strategies.ddp", "tomli_w"):
        monkeypatch.setitem(sys.modules, package, None)
    return monkeypatch


def test_training_says_what_to_install_before_any_work(without, run, tmp_path):
    refused = command(run, tmp_path, tables(tmp_path))
    assert (
        refused.code == 2
        and refused.err == "selfhvd: Training needs tomli-w; install it with: pip install '.[train]'\n"
    )
    assert not (tmp_path / "run").exists()


def test_several_processes_say_it_too(monkeypatch, run, tmp_path):
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    refused = command(run, tmp_path, tables(tmp_path))
    assert refused.code == 2 and "needs lightning-fabric; install it with: pip install '.[train]'" in refused.err
    assert not (tmp_path / "run").exists()


def test_deblur_learns_without_it(without):
    learned = Deblurrer(quick(from_scratch=True, steps=1)).fit(list(views()))
    assert learned.adaptation is not None and learned.adaptation.steps > 0
