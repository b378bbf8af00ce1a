"""Stopping: one signal asks a run to save its state and end, a second ends it at once."""

import _thread
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from selfhvd.errors import INTERRUPTED, TERMINATED, Stopped

GRACE = 5.0
"""Seconds in which a frame or a step may come to its end."""
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stop:
    """Whether the run was asked to stop."""

    def __init__(self, grace: float | None) -> None:
        self.signum: int | None = None
        self.grace = grace
        self._again: threading.Timer | None = None

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.signum is not None

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 143 after any other signal."""
        return INTERRUPTED if self.signum == signal.SIGINT else TERMINATED

    def hear(self, signum: int, frame: FrameType | None) -> None:
        """Handle a signal: the first is noted, and comes again when its grace is over; the second stops at once."""
        if self.signum is not None:
            raise Stopped
        self.signum = signum
        if self.grace is not None:
            self._again = threading.Timer(self.grace, _send, (signum,))
            self._again.daemon = True
            self._again.start()

    def end(self) -> None:
        """What was heard does not come again."""
        if self._again is not None:
            self._again.cancel()


def _send(signum: int) -> None:
    """To the main thread; where that waits for a child process, only a real signal wakes it."""
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, signum)
    else:
        _thread.interrupt_main(signal.Signals(signum))


@contextmanager
def stopping(sentence: str = "stopped.", *, grace: float | None = GRACE) -> Generator[Stop]:
    """Signals stop what runs inside; `Stopped` becomes its own or that `sentence`, and the exit code 130 or 143.

    After `grace` seconds it is stopped at once, as by a second signal; never where that is None.
    Only for the main thread of a process whose end is near: a program that calls us has signals of its own.
    """
    stop = Stop(grace)
    before = {signum: signal.signal(signum, stop.hear) for signum in _SIGNALS}
    try:
        yield stop
    except Stopped as stopped:
        sys.stderr.write(f"selfhvd: {str(stopped) or sentence}\n")
        sys.exit(stop.exit_code)
    finally:
        stop.end()
        for signum, handler in before.items():
            signal.signal(signum, handler)
