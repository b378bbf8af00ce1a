"""Ends of all kinds, and several processes: the weights are those of the one unbroken run."""

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
from datasets_for_training import command, losses, pairs, quick, tables, weights
from selfhvd.training.job import train
from selfhvd.training.recipe import read_recipe

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return pairs(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def whole(clips, tmp_path_factory):
    run = tmp_path_factory.mktemp("whole")
    train(quick(clips), run)
    return run


def python(*words):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, *map(str, words)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def same(run: Path, whole: Path) -> bool:
    return torch.equal(weights(run / "weights.safetensors"), weights(whole / "weights.safetensors"))


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
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


MOMENTS = ("align:3", "stage 1:3", "save:2", "align again:5", "stage 2:3", "save:5", "finish:0")


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_killed_at_any_moment_it_goes_on_exactly(clips, whole, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(dumps(tables(clips)))
    python(HERE / "killed_training.py", recipe, tmp_path, *MOMENTS)
    for moment in MOMENTS:
        assert not (tmp_path / moment / "weights.safetensors").exists()
        train(quick(clips), tmp_path / moment)
        assert same(tmp_path / moment, whole), moment


def test_two_processes_train_as_one(clips, tmp_path):
    """The same global batch: step for step by the losses, and in the weights, each stage by itself.

    Over both stages together rounding grows: the alignment between them sees pictures of 8 bits.
    """
    recipes = []
    for name, other in (("stage_one", "stage_two"), ("stage_two", "stage_one")):
        table = tables(clips, 8)
        table["method"][other] = {"steps": 0}
        recipes.append(tmp_path / f"{name}.toml")
        recipes[-1].write_text(dumps(table))
    python("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, HERE / "shared_training.py", *recipes)
    for path in recipes:
        two, one = tmp_path / path.stem, tmp_path / "one" / path.stem
        train(read_recipe(path), one)
        assert losses(two) == pytest.approx(losses(one), abs=1e-5) and len(losses(one)) == 8
        apart = (weights(two / "weights.safetensors") - weights(one / "weights.safetensors")).abs().max()
        assert apart < 1e-5
