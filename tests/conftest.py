"""What every test may use: a real photo, repeatable draws, the command line, one thread."""

import logging
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

import cv2
import jaxtyping
import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import settings

import warm

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("repeatable")
cv2.setNumThreads(1)
torch.set_num_threads(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Shapes and types are checked at every call, and children forked; marked `unchecked` or `subprocess` they are not.

    Both by what the module or the test is marked with, before its fixtures.
    """
    jaxtyping.config.update("jaxtyping_disable", item.get_closest_marker("unchecked") is not None)
    start = subprocess.Popen
    if item.get_closest_marker("subprocess") is None and warm.POSSIBLE:
        subprocess.Popen = warm.Popen
    try:
        return (yield)
    finally:
        subprocess.Popen = start


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A 512x512 RGB photo; do not write to it."""
    image = skimage.data.astronaut()
    image.setflags(write=False)
    return image


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """A dataset of two clips with their truth, to be read only."""
    from datasets_for_training import pairs

    return pairs(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def whole(clips, tmp_path_factory):
    """A training with these clips that nothing stopped."""
    from datasets_for_training import quick
    from selfhvd.training.job import train

    folder = tmp_path_factory.mktemp("whole")
    train(quick(clips), folder)
    return folder


@pytest.fixture
def quickly(monkeypatch):
    """Make presets quick, see `clips_for_tests.quick`, for all commands that follow."""

    def changed(**changes):
        from clips_for_tests import quick

        monkeypatch.setattr("selfhvd.run.config.preset_config", partial(quick, **changes))

    return changed


@pytest.fixture
def breaking(monkeypatch):
    """Within `breaking(stage, error)`, commands meet this error as soon as they tell of the stage."""
    import selfhvd.cli.clip_runs
    import selfhvd.cli.progress

    shown_progress = selfhvd.cli.progress.shown_progress

    @contextmanager
    def within(stage, error):
        @contextmanager
        def shown(*given, **named):
            with shown_progress(*given, **named) as progress:

                def told(now, done, total):
                    progress(now, done, total)
                    if now == stage:
                        raise error

                yield told

        with monkeypatch.context() as patched:
            for module in (selfhvd.cli.progress, selfhvd.cli.clip_runs):
                patched.setattr(module, "shown_progress", shown)
            yield

    return within


@pytest.fixture
def run(monkeypatch, capfd):
    """Run `selfhvd` with these words in this process: the exit code and what was written, as `code`, `out`, `err`."""
    from selfhvd import cli  # not before the hook that checks shapes is in place

    monkeypatch.setenv("COLUMNS", "100")
    handler, level = signal.getsignal(signal.SIGTERM), logging.getLogger().level

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["selfhvd", *map(str, words)])
        capfd.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        said = capfd.readouterr()
        return SimpleNamespace(code=code, out=said.out, err=said.err)

    yield call
    signal.signal(signal.SIGTERM, handler)
    logging.getLogger().setLevel(level)
