"""Signals: the first asks, the second ends, also a wait for somebody else."""

import os
import queue
import signal
import time

import pytest

from selfhvd.cli.signals import stopping


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="elsewhere a wait cannot be ended from inside")
def test_a_wait_is_ended_when_the_grace_is_over():
    with pytest.raises(SystemExit) as ended, stopping(grace=0.2) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        queue.SimpleQueue().get(timeout=20)  # queue.Empty if nothing ends it
    assert ended.value.code == 130


def test_nothing_comes_after_a_run_that_ended_in_its_grace():
    with stopping(grace=0.2) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
    time.sleep(0.5)  # KeyboardInterrupt if it does
