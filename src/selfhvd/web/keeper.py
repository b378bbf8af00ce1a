"""The keeper of the queue: a thread of the server that starts what is wanted and clears what is not, by the disk alone.

It remembers nothing that a server started anew would need: what runs holds locks, what waits stands in its record.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from selfhvd.errors import OutputError
from selfhvd.web.folder import JobFolder
from selfhvd.web.record import ENDED, Job, Outcome, State, Wanted
from selfhvd.web.slots import free_slots
from selfhvd.web.store import Entry, JobStore

log = logging.getLogger(__name__)

_EVERY = 0.25
"""Seconds between two looks at the folder."""
_LOOKS = 1
"""Looks at clips at a time; they are short, and do not wait for runs."""
_PAUSE = 2.0
"""Seconds before a job that could not be started is tried again."""


@dataclass
class Keeper:
    """Keeps the queue of one store; of a folder there must be only one."""

    store: JobStore
    at_once: int
    """Runs at a time."""
    _children: dict[tuple[str, str], subprocess.Popen[bytes]] = field(
        default_factory=dict[tuple[str, str], "subprocess.Popen[bytes]"]
    )
    _ended: dict[str, float] = field(default_factory=dict[str, float])
    _settled: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to keep."""
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Start nothing more; what runs goes on."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _keep(self) -> None:
        while not self._stop.wait(_EVERY):
            try:
                self.turn()
            except Exception:
                log.exception("the queue could not be looked at; it is tried again")

    def turn(self) -> None:
        """One look at the folder, and what follows from it."""
        self._reap()
        waiting = [entry for entry in self._unsettled() if entry.state not in (State.READY, State.PAUSED)]
        for entry in waiting:
            self._clear(entry)
        self._begin(
            "look",
            _LOOKS,
            sorted((e for e in waiting if e.state == State.LOOKING), key=lambda e: (e.job.made, e.job.id)),
        )
        queued = [e for e in waiting if e.state == State.QUEUED]
        self._begin("run", self.at_once, sorted(queued, key=lambda e: (e.job.queued, e.job.id)))

    def _unsettled(self) -> list[Entry]:
        """Jobs of which something is wanted; of a record that has not changed since it ended nothing is."""
        found: list[Entry] = []
        for path in self.store.jobs.iterdir():
            if path.name.startswith("."):
                continue
            stamp = _stamp(JobFolder(path).record)
            if self._settled.get(path.name) == stamp:
                continue
            entry = self.store.look_at(path.name)
            if entry is None:
                continue
            if entry.state in ENDED and entry.job.wanted != Wanted.GONE:
                self._settled[path.name] = stamp
                continue
            found.append(entry)
        return found

    def _clear(self, entry: Entry) -> None:
        """Do at once what needs no runner: nobody is at work on a job that is cancelled or to go."""
        job, folder = entry.job, entry.folder
        if job.wanted not in (Wanted.CANCEL, Wanted.GONE) or self._is_starting(job):
            return
        try:
            with folder.held():
                if job.wanted == Wanted.GONE:
                    self.store.forget(folder)
                elif folder.outcome(job) is None:
                    folder.end(job, Outcome(run=job.run, state="cancelled"))
        except OutputError:
            return  # its runner clears it
        except OSError as error:
            log.warning("%s cannot be removed (%s); it is tried again", folder.path, error.strerror)

    def _begin(self, kind: str, count: int, entries: Iterable[Entry]) -> None:
        """Start runners for the first, as many as there are slots free."""
        starting = sum(1 for of, _ in self._children if of == kind)
        free = min(count - starting, free_slots(self.store.path / "slots", kind, count))
        for entry in entries:
            if free < 1:
                return
            recently = time.monotonic() - self._ended.get(entry.job.id, -_PAUSE) < _PAUSE
            if self._is_starting(entry.job) or recently:
                continue
            try:
                self._children[kind, entry.job.id] = self._runner(kind, entry)
                free -= 1
            except OSError as error:
                log.warning("%s cannot be started (%s); it is tried again", entry.folder.path, error.strerror)

    def _runner(self, kind: str, entry: Entry) -> "subprocess.Popen[bytes]":
        home = str(Path(__file__).resolve().parents[2])  # where the package lies
        paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
        with entry.folder.log.open("ab") as told:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "selfhvd.web.runner", kind, str(self.store.path), entry.job.id,
                 str(_LOOKS if kind == "look" else self.at_once)],
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                cwd=entry.folder.path,
                start_new_session=True,  # so that it goes on when the terminal is closed
            )  # fmt: skip

    def _is_starting(self, job: Job) -> bool:
        """Whether this server has a runner at it; it may not hold the lock yet."""
        return any(number == job.id for _, number in self._children)

    def _reap(self) -> None:
        """Forget the runners that have ended."""
        for key, child in list(self._children.items()):
            if child.poll() is not None:
                del self._children[key]
                self._ended[key[1]] = time.monotonic()


def _stamp(path: Path) -> tuple[int, int]:
    """Changes when the file does."""
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return stat.st_mtime_ns, stat.st_ino
