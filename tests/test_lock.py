"""A lock between processes: told of the wait, given up in time, free when its holder dies."""

import subprocess
import sys

import pytest

from selfhvd.errors import OutputError, WeightsError
from selfhvd.system.lock import locked

BUSY = WeightsError("Somebody else is at it.")
HOLD = (
    "import sys; from pathlib import Path\n"
    "from selfhvd.errors import WeightsError; from selfhvd.system.lock import locked\n"
    "with locked(Path(sys.argv[1]), WeightsError('')): print('held', flush=True); sys.stdin.read()"
)


@pytest.mark.subprocess
def test_a_lock_held_by_another_process(tmp_path):
    path = tmp_path / "x.lock"
    words = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        told = []
        for patience in (0.0, 0.3):
            holds = locked(path, BUSY, patience, lambda: told.append(1))
            with pytest.raises(WeightsError, match="Somebody else is at it"), holds:
                raise AssertionError("taken from its holder")
        assert told == [1, 1]
        holder.kill()  # a holder that dies leaves nothing to clean up
        holder.wait()
        with locked(path, BUSY, 5.0):
            pass


def test_a_folder_that_is_not_there(tmp_path):
    holds = locked(tmp_path / "no" / "x.lock", BUSY)
    with pytest.raises(OutputError, match=r"no cannot be written \(.*\); choose another place"), holds:
        pass
