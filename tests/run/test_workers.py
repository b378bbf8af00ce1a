"""Workers: the same frames whatever their number, also where some are killed; none is left when the run is gone."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch

from clips_for_tests import film, names, views
from selfhvd.backbones.backbone import Needs
from selfhvd.errors import UsageError
from selfhvd.run.workers import check_workers, workers_for

CPU = torch.device("cpu")


def test_as_many_as_there_are_cores_and_memory_for(monkeypatch):
    monkeypatch.setattr("selfhvd.run.workers.free_bytes", lambda device: 6 * 2**30)
    monkeypatch.setattr("torch.get_num_threads", lambda: 4)
    single = Needs(guides=2)
    assert workers_for(480 * 272, 300, single, CPU, None) == 4
    assert workers_for(3840 * 2160, 300, single, CPU, None) == 1
    assert workers_for(480 * 272, 8, single, CPU, None) == 1
    assert workers_for(64 * 48, 8, single, CPU, 3) == 3
    assert workers_for(480 * 272, 300, single, torch.device("cuda"), 3) == 1
    assert workers_for(480 * 272, 300, Needs(window=20), CPU, 3) == 1
    with pytest.raises(UsageError, match="at least 1 worker, not 0"):
        check_workers(0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return film(tmp_path_factory.mktemp("filmed") / "clip.mp4", views(12, width=96, height=72))


def command(clip, out, workers: int) -> list[str]:
    return [
        sys.executable, "-m", "selfhvd", str(clip), "-o", str(out), "--quiet", "--no-report", "--restart",
        "--restore", "all", "--workers", str(workers),
    ]  # fmt: skip


def frames(folder) -> list[bytes]:
    return [(folder / name).read_bytes() for name in names(folder)]


def helpers(run: subprocess.Popen) -> list[psutil.Process]:
    """The processes that restore, and the one that makes them."""
    found = psutil.Process(run.pid).children(recursive=True)
    return [child for child in found if "forkserver" in line_of(child)]


def line_of(process: psutil.Process) -> str:
    """Nothing, of one that has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.mark.subprocess
@pytest.mark.slow
def test_the_frames_do_not_depend_on_how_many_restore_them_nor_on_who_is_killed(clip, tmp_path):
    subprocess.run(command(clip, tmp_path / "one", 1), check=True)
    subprocess.run(command(clip, tmp_path / "two", 2), check=True)
    run = subprocess.Popen(command(clip, tmp_path / "killed", 2))
    deadline, killed = time.monotonic() + 60, 0
    while run.poll() is None and time.monotonic() < deadline and killed < 2:
        if len(there := helpers(run)) > 1:
            there[-1].kill()
            killed += 1
        time.sleep(0.2)
    assert run.wait(120) == 0 and killed
    assert len(frames(tmp_path / "one")) == 12
    assert frames(tmp_path / "one") == frames(tmp_path / "two") == frames(tmp_path / "killed")
    assert not list(tmp_path.glob(".*.selfhvd"))


@pytest.mark.subprocess
@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_the_run(clip, tmp_path, how):
    run = subprocess.Popen(command(clip, tmp_path / "out", 2), start_new_session=True)
    deadline = time.monotonic() + 60
    while len(there := helpers(run)) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(there) >= 2
    if how == signal.SIGINT:
        os.killpg(run.pid, how)
    else:
        run.kill()
    run.wait(10)
    assert not psutil.wait_procs(there, timeout=10)[1]
