"""Loading: what the processes of a run share is loaded once, in a process of its own, begun before it is needed."""

import multiprocessing
from multiprocessing.context import BaseContext

from selfhvd.system.allocation import keep_freed_in_children


def context() -> BaseContext:
    """Processes that share the loaded libraries, where the system can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    keep_freed_in_children()
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["selfhvd.run.tasks"])
    return found


def load_ahead() -> None:
    """Begin to load what tasks need, while something else is done; only once."""
    if context().get_start_method() == "forkserver":
        from multiprocessing import forkserver  # there is none on Windows

        forkserver.ensure_running()  # to ask for a process would wait until all is loaded
