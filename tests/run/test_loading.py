"""What the processes of a run share is begun to be loaded before anything else is."""

import multiprocessing
import subprocess
import sys

import pytest

from selfhvd.cli.deblur import _is_shared


def test_it_is_begun_before_torch_is_loaded():
    told = (
        "import sys, selfhvd.run.loading, selfhvd.cli.deblur; print(sorted({'torch', 'cv2', 'av'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(("size", "cores", "shared"), [(400_000, 2, True), (400_000, 1, False), (1000, 2, False)])
def test_small_clips_and_one_core_do_without(tmp_path, monkeypatch, size, cores, shared):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(cores)), raising=False)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(bytes(size))
    assert _is_shared([clip]) == shared
    assert _is_shared([tmp_path / "none.mp4"]) is False


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="no such processes here")
def test_ctrl_c_while_it_loads_prints_nothing():
    told = (
        "import os, signal, time; from selfhvd.run.loading import load_ahead;"
        "signal.signal(signal.SIGINT, lambda *_: None); load_ahead(); time.sleep(1); os.killpg(0, signal.SIGINT);"
        "time.sleep(1.5)"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, start_new_session=True)
    assert (done.returncode, done.stderr) == (0, "")
