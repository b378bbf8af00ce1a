"""Ends of all kinds, and several processes: the weights are those of the one unbroken run."""

import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from tomli_w import dumps

import selfhvd.cli.progress
import selfhvd.training.job as job
from datasets_for_training import command, losses, quick, tables, weights
from selfhvd.training.job import train
from selfhvd.training.recipe import read_recipe

HERE = Path(__file__).parent

pytestmark = pytest.mark.unchecked


def python(*words):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, *map(str, words)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def same(run: Path, whole: Path) -> bool:
    return torch.equal(weights(run / "weights.safetensors"), weights(whole / "weights.safetensors"))


@pytest.mark.parametrize(
    ("signum", "code"), [pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow), (signal.SIGINT, 130)]
)
def test_a_signal_saves_and_the_same_command_goes_on(run, clips, whole, tmp_path, monkeypatch, signum, code):
    @contextmanager
    def signalling(quiet):
        yield lambda stage, done, total: signal.raise_signal(signum) if (stage, done) == ("stage 2", 1) else None

    with monkeypatch.context() as patched:
        patched.setattr(selfhvd.cli.progress, "shown_progress", signalling)
        stopped = command(run, tmp_path, tables(clips))
    assert stopped.code == code and "run the same command again to go on" in stopped.err
    assert (tmp_path / "run" / "work" / "state.ckpt").exists()
    assert list(losses(tmp_path / "run"))[-1] == ("stage 2", 1)
    gone_on = command(run, tmp_path, tables(clips))
    assert gone_on.code == 0 and gone_on.out == f"{tmp_path}/run/weights.safetensors\n"
    assert same(tmp_path / "run", whole) and losses(tmp_path / "run") == losses(whole)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def train_until(clips: Path, run: Path, stage: str, count: int) -> None:
    """Be killed when so much of a stage is told; or, for `save`, when the N-th state is to be renamed into place, half
    of it written; or, for `finish`, before the weights are written.
    """
    saves = []

    def replace(aside, target):
        if Path(aside).name == ".state.ckpt.part":
            saves.append(aside)
        if len(saves) == count:
            aside.write_bytes(aside.read_bytes()[:500])
            die()
        os.rename(aside, target)

    if stage == "save":
        os.replace = replace
    if stage == "finish":
        job.save_weights = lambda *words: die()
    train(quick(clips), run, on_progress=lambda name, done, total: die() if (name, done) == (stage, count) else None)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="trainings are forks of this process")
def test_killed_again_and_again_it_goes_on_exactly(clips, whole, tmp_path):
    """One training; each child goes on where the one before it was killed."""
    for stage, count in (
        ("align", 3), ("stage 1", 3), ("save", 1), ("align again", 5), ("stage 2", 3), ("save", 1), ("finish", 0),
    ):  # fmt: skip
        child = multiprocessing.get_context("fork").Process(target=train_until, args=(clips, tmp_path, stage, count))
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL, stage
    assert not (tmp_path / "weights.safetensors").exists()
    train(quick(clips), tmp_path)
    assert same(tmp_path, whole) and losses(tmp_path) == losses(whole)


@pytest.mark.slow
@pytest.mark.subprocess
def test_two_processes_train_as_one(clips, tmp_path):
    """The same global batch: step for step by the losses, and in the weights, each stage by itself.

    Over both stages together rounding grows: the alignment between them sees pictures of 8 bits.
    """
    recipes = []
    for name, other in (("stage_one", "stage_two"), ("stage_two", "stage_one")):
        table = tables(clips, 4)
        table["method"][other] = {"steps": 0}
        recipes.append(tmp_path / f"{name}.toml")
        recipes[-1].write_text(dumps(table))
    python("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, HERE / "shared_training.py", *recipes)
    for path in recipes:
        two, one = tmp_path / path.stem, tmp_path / "one" / path.stem
        train(read_recipe(path), one)
        assert losses(two) == pytest.approx(losses(one), abs=1e-5) and len(losses(one)) == 4
        apart = (weights(two / "weights.safetensors") - weights(one / "weights.safetensors")).abs().max()
        assert apart < 1e-5
