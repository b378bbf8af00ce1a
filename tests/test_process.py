"""The process before and around the command line: quick to start, and Ctrl-C at any moment."""

import os
import signal
import subprocess
import sys

import pytest

from selfhvd.__main__ import interrupt

pytestmark = pytest.mark.subprocess


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)


def test_the_command_line_starts_without_torch():
    done = run("import sys, selfhvd.cli; print([name for name in ('torch', 'cv2', 'av') if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


def test_ctrl_c_is_an_exception():
    with pytest.raises(KeyboardInterrupt):
        interrupt(signal.SIGINT, sys._getframe())


def test_ctrl_c_while_a_library_loads_leaves_at_once(tmp_path):
    # A library that would swallow an exception, as C++ beneath may.
    (tmp_path / "slow.py").write_text("import os, signal\ntry: os.kill(os.getpid(), signal.SIGINT)\nexcept: pass\n")
    code = "import signal; from selfhvd.__main__ import interrupt; signal.signal(signal.SIGINT, interrupt)\nimport slow"
    done = run(code, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (130, "selfhvd: interrupted while loading.\n")
