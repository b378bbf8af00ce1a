"""Loading: what the processes of a run share is loaded once, in a process of its own, begun before it is needed."""

import multiprocessing
import signal
from multiprocessing.context import BaseContext

from selfhvd.system.allocation import keep_freed_in_children


def context() -> BaseContext:
    """Processes that share the loaded libraries, where the system can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    keep_freed_in_children()
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["selfhvd.run.tasks", "skimage.registration"])
    return found


def load_ahead() -> None:
    """Begin to load what tasks need, while something else is done; only once."""
    if context().get_start_method() == "forkserver":
        from multiprocessing import forkserver, resource_tracker  # there is none on Windows

        resource_tracker.ensure_running()  # it would let the signal through again
        # Ctrl-C goes to all processes of a terminal; this one has its answer in ours, and would print where it was.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()  # to ask for a process would wait until all is loaded
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
