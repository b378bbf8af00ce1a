"""The folder of jobs: made, found, changed, removed. All of it lies on the disk, so nothing is lost with a process."""

import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from selfhvd.errors import OutputError
from selfhvd.system.atomic import remove, write_aside
from selfhvd.system.lock import locked
from selfhvd.web.folder import JobFolder
from selfhvd.web.record import Job, Settings, State, Wanted

_PATIENCE = 10.0
"""Seconds to wait for another process that changes a job; each takes milliseconds."""
_UNFINISHED, _LEAVING = ".new-", ".gone-"
"""What the names of folders begin with that are no jobs yet, or no more."""
_NUMBER = re.compile("[0-9a-f]{32}")
"""The id of a job, and the name of its folder."""


@dataclass(frozen=True)
class Entry:
    """A job as it stands now."""

    job: Job
    folder: JobFolder
    state: State


@dataclass
class JobStore:
    """The jobs under one folder; any number of processes may look at it and change it."""

    path: Path
    _changing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def jobs(self) -> Path:
        """One folder for each job, by its id."""
        return self.path / "jobs"

    def make(self) -> None:
        """`OutputError` if the folder is not there and cannot be made; what is made is closed to others."""
        try:
            for path in (self.path, self.jobs):
                if not path.is_dir():
                    path.mkdir(0o700, parents=True)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be made ({error.strerror}); choose another --folder.") from error

    def sweep(self) -> None:
        """Clear away clips that never came whole and jobs half removed; for the only server of this folder."""
        for path in self.jobs.iterdir():
            if path.name.startswith((_UNFINISHED, _LEAVING)) or (_NUMBER.fullmatch(path.name) and _is_empty(path)):
                remove(path)

    @contextmanager
    def new(self) -> Generator[JobFolder]:
        """A folder to lay a clip into; it goes again unless `submit` made a job of it."""
        folder = JobFolder(self.jobs / f"{_UNFINISHED}{secrets.token_hex(16)}")
        folder.clip.mkdir(parents=True)
        try:
            yield folder
        finally:
            remove(folder.path)

    def submit(
        self, folder: JobFolder, owner: str, name: str, source: Path, settings: Settings, *, start: bool
    ) -> Entry:
        """Make a job of what `new` gave; it is there whole from the moment that its folder has its name."""
        number, now = folder.path.name.removeprefix(_UNFINISHED), time.time()
        home = JobFolder(self.jobs / number)
        inside = source.is_relative_to(folder.path)
        job = Job(
            id=number,
            owner=owner,
            name=name,
            source=home.path / source.relative_to(folder.path) if inside else source,
            wanted=Wanted.RUN if start else Wanted.LOOK,
            settings=settings,
            made=now,
            queued=now if start else 0.0,
        )
        write_aside(folder.record, job.model_dump_json().encode(), fsync=True)
        os.replace(folder.path, home.path)
        return Entry(job, home, state_of(job, home, working=False))

    def folder(self, number: str) -> JobFolder:
        """Where the job of an id lies."""
        return JobFolder(self.jobs / number)

    def find(self, number: str) -> Entry | None:
        """The job of this id; None where there is none, or none any more."""
        if not _NUMBER.fullmatch(number):
            return None
        entry = self.look_at(number)
        return None if entry is None or entry.job.wanted == Wanted.GONE else entry

    def look_at(self, number: str) -> Entry | None:
        """The job in the folder of this name, one that is to go as well."""
        folder = self.folder(number)
        job = folder.job()
        return None if job is None else Entry(job, folder, state_of(job, folder))

    def all(self, owner: str | None = None) -> list[Entry]:
        """Every job, of one owner or of all, in the order that they came."""
        folders = [JobFolder(path) for path in self.jobs.iterdir() if not path.name.startswith(".")]
        found = [(job, folder) for folder in folders if (job := folder.job()) is not None]
        seen = [pair for pair in found if pair[0].wanted != Wanted.GONE and owner in (None, pair[0].owner)]
        entries = [Entry(job, folder, state_of(job, folder)) for job, folder in seen]
        return sorted(entries, key=lambda entry: (entry.job.made, entry.job.id))

    def change(self, number: str, decide: Callable[[Job], Job]) -> Job | None:
        """Let `decide` say what is wanted now, while nobody else does; None where there is no such job.

        What `decide` raises comes through, and nothing is changed.
        """
        folder = self.folder(number)
        busy = OutputError("The folder of jobs is busy; try again.")
        with self._changing, locked(self.path / "changing", busy, _PATIENCE):
            job = folder.job()
            if job is None or job.wanted == Wanted.GONE:
                return None
            wanted = decide(job)
            if wanted != job:
                write_aside(folder.record, wanted.model_dump_json().encode(), fsync=True)
        return wanted

    def forget(self, folder: JobFolder) -> None:
        """Remove a job with all its files, so that nobody finds half of it; for whoever holds it."""
        gone = folder.path.with_name(f"{_LEAVING}{folder.path.name}")
        os.replace(folder.path, gone)
        remove(gone)


def places(entries: list[Entry]) -> dict[str, int]:
    """How many come before each that is queued, by its id: those that run, and those that wait for longer."""
    running = sum(entry.state in (State.RUNNING, State.PAUSING) for entry in entries)
    queued = sorted((e.job.queued, e.job.id) for e in entries if e.state == State.QUEUED)
    return {number: running + index for index, (_, number) in enumerate(queued)}


def _is_empty(path: Path) -> bool:
    """Whether the power failed before the record of a job was on the disk."""
    try:
        return JobFolder(path).record.stat().st_size == 0
    except OSError:
        return False


def state_of(job: Job, folder: JobFolder, *, working: bool | None = None) -> State:
    """What becomes of a job: by what is wanted, how it ended, and whether anybody works on it.

    `working`: whether somebody does, where that is known.
    """
    outcome = folder.outcome(job)
    if outcome is not None:
        return State(outcome.state)
    if job.wanted == Wanted.LOOK:
        return State.READY if folder.looked.exists() else State.LOOKING
    held = folder.is_held() if working is None else working
    during, otherwise = _STATES[job.wanted]
    return during if held else otherwise


_STATES = {
    Wanted.RUN: (State.RUNNING, State.QUEUED),
    Wanted.PAUSE: (State.PAUSING, State.PAUSED),
    Wanted.CANCEL: (State.CANCELLING, State.CANCELLING),
    Wanted.GONE: (State.CANCELLING, State.CANCELLING),
}
