"""The process: `selfhvd` and `python -m selfhvd`. Settles what must be so before torch is loaded."""

import os
import signal
import sys
from types import FrameType

from selfhvd.errors import INTERRUPTED
from selfhvd.system.allocation import keep_freed


def main() -> None:
    """Entry point."""
    # On a busy machine threads that wait by spinning make everything several times slower. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_freed()
    signal.signal(signal.SIGINT, interrupt)
    from selfhvd.cli import main as command_line

    command_line()


def interrupt(signum: int, frame: FrameType | None) -> None:
    """Ctrl-C: an exception as always; but a library that is just being loaded may crash on one, so leave at once."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            sys.stderr.write("selfhvd: interrupted while loading.\n")
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
