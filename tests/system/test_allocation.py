"""glibc's allocator: in a process of its own, for it cannot be set back."""

import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys
from selfhvd.system.allocation import keep_freed
if sys.argv[1] == "kept":
    keep_freed()
import numpy as np
for _ in range(40):
    np.ones(6_000_000, np.uint8), np.ones(6_000_000, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def _faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.subprocess
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no glibc")
def test_freed_memory_is_used_again():
    assert _faults("kept") < _faults("given back") / 2
