"""A command that a runner has going: `python WORDS`, which says how far it is in JSON lines on standard error."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import psutil

from selfhvd.errors import INTERRUPTED, TERMINATED

_ASKED = 0.2
"""Seconds between two questions whether it is still wanted."""
_GRACE = 8.0
"""Seconds that a command has to save its state and end; the command itself ends a frame after five."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_CUT_OFF = (INTERRUPTED, TERMINATED, -signal.SIGTERM, -signal.SIGINT)
_LINES = 40
"""Lines that are no JSON, kept for the log."""

Told = Callable[[dict[str, object]], None]


@dataclass(frozen=True)
class Fate:
    """How a command ended."""

    code: int
    """Its exit code, or less than 0: the signal that ended it."""
    stopped: bool
    """Whether it was ended because nobody wanted it any more."""
    sentence: str
    """Why it failed, in its own words; "" where it said nothing."""
    warnings: tuple[str, ...]
    """What it warned of."""
    cut_off: bool = False
    """Whether somebody else ended it, or the process that follows it, as a system does that shuts down."""


class Command:
    """One child, started at once.

    Args:
        words: after `python`.
        log: where its other lines are kept.
        files: handles that the child holds, too: locks, which stay for as long as it lives.
    """

    def __init__(self, words: Sequence[str], log: Path, files: tuple[int, ...] = ()) -> None:
        self.log = log
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._others: deque[str] = deque(maxlen=_LINES)
        self._warnings: list[str] = []
        self._sentence = ""
        home = str(Path(__file__).resolve().parents[2])  # where the package lies
        paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, "-P", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            cwd=log.parent,
            pass_fds=files if sys.platform != "win32" else (),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)

    def follow(self, is_unwanted: Callable[[], bool], told: Told = lambda line: None) -> Fate:
        """Wait for its end, hand on what it says, end it when it is wanted no more or this process is to end."""
        stopped, heard = False, list[int]()
        with _hearing(heard):
            while self.process.poll() is None:
                stopped = is_unwanted()
                if stopped or heard:
                    self._end()
                    break
                self._take(told, _ASKED)
        self._reader.join(timeout=1)
        self._take(told, 0)
        self._keep()
        code = self.process.returncode
        return Fate(code, stopped, self._sentence, tuple(self._warnings), bool(heard) or code in _CUT_OFF)

    def _take(self, told: Told, seconds: float) -> None:
        """What it has said by now; of progress only the last, and the first of each stage."""
        deadline = time.monotonic() + seconds
        last: dict[str, object] | None = None
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                break
            found = self._understood(line)
            if found is not None:
                last = found
        if last is not None:
            told(last)

    def _understood(self, line: bytes) -> dict[str, object] | None:
        """A line of progress; whatever else is said is noted."""
        text = line.decode(errors="replace").strip()
        try:
            found: Any = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            self._others.append(text)
            return None
        if "stage" in found:
            return found  # pyright: ignore[reportUnknownVariableType]
        if "error" in found:
            self._sentence = str(found["error"])  # pyright: ignore[reportUnknownArgumentType]
        elif found.get("level") == "warning":
            self._warnings.append(str(found.get("message")))  # pyright: ignore[reportUnknownArgumentType]
        return None

    def _end(self) -> None:
        """Ask it to stop, and after its grace end it and all its children."""
        family = _family(self.process.pid)
        with suppress(OSError):
            self.process.terminate()
        try:
            self.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            family |= _family(self.process.pid)
            self.process.kill()
            self.process.wait()
        for process in family:
            with suppress(psutil.Error):
                process.kill()

    def _keep(self) -> None:
        """Its other lines, for whoever looks for the cause of a fault."""
        with suppress(OSError), self.log.open("a", encoding="utf-8", errors="replace") as file:
            file.writelines(f"{line}\n" for line in self._others)


def _family(number: int) -> set[psutil.Process]:
    """The children of a process, and theirs."""
    with suppress(psutil.Error):
        return set(psutil.Process(number).children(recursive=True))
    return set()


@contextmanager
def _hearing(heard: list[int]) -> Generator[None]:
    """Within, signals that would end this process are only noted, so that its child can end before it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda n, frame: heard.append(n)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
