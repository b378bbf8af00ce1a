"""The runner: `python -m selfhvd.web.runner KIND STORE JOB AT_ONCE`, one process for a look at a clip or for a run.

It is started in a session of its own, so it goes on when the server, the browser and the terminal are closed. It holds
the job's lock, does the work in children (`selfhvd deblur` itself), follows what they say, and asks the disk five times
a second what is wanted. Whoever kills it lets the lock go; the queue then starts the job again, and the command goes on
from its work folder.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from selfhvd.errors import OutputError, SelfHVDError
from selfhvd.system.atomic import remove, write_aside
from selfhvd.video import default_destination
from selfhvd.web.command import Command, Fate
from selfhvd.web.folder import JobFolder, read_json
from selfhvd.web.record import Job, Outcome, Progress, Wanted
from selfhvd.web.shares import share_of
from selfhvd.web.slots import taking_a_slot

_PATIENCE = 2.0
"""Seconds to wait for the job's lock: whoever asks whether it is held takes it for a moment."""
_STARTS = 5
"""Times that a run is started and vanishes before it is given up."""
_NICE = 5
"""Runs make way for the server, which shares the machine with them."""


def main(kind: str, store: str, number: str, at_once: str) -> int:
    """Do one piece of work, if nobody is at it and a slot is free; the exit code only serves its log."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    folder = JobFolder(Path(store) / "jobs" / number)
    try:
        with folder.held(_PATIENCE) as lock, taking_a_slot(Path(store) / "slots", kind, int(at_once)) as slot:
            if slot is not None:
                files = (lock.fileno(), slot.fileno())
                (_look if kind == "look" else _run)(folder, files)
    except OutputError:
        return 0  # somebody is at it
    return 0


def _look(folder: JobFolder, files: tuple[int, ...]) -> None:
    """Find what the clip is, how blurred its frames are, what a run would take; a run that is wanted comes first."""
    job = folder.job()
    if job is None or job.wanted != Wanted.LOOK or folder.outcome(job) is not None:
        return
    words = ["-m", "selfhvd.web.look", str(job.source), str(folder.path)]
    command = Command(words, folder.log, files)
    fate = command.follow(lambda: folder.wanted(job) != Wanted.LOOK, _told(folder, job))
    if fate.stopped or fate.cut_off:
        return
    if fate.code != 0:
        sentence = folder.without_paths(_sentence(fate), job)
        folder.write(Outcome(run=job.run, state="failed", exit_code=_code(fate), sentence=sentence))
    write_aside(folder.looked, b"")


def _run(folder: JobFolder, files: tuple[int, ...]) -> None:
    """Restore the clip, unless that is no longer wanted or was done already."""
    job = folder.job()
    if job is None or job.wanted != Wanted.RUN or folder.outcome(job) is not None:
        return
    if not _may_start(folder, job):
        sentence = f"The run was started {_STARTS} times and never came to its end; free some memory and try again."
        folder.end(job, Outcome(run=job.run, state="failed", exit_code=SelfHVDError.exit_code, sentence=sentence))
        return
    outcome = _Run(folder, job, files).done()
    if outcome is not None:
        folder.end(job, outcome)


def _may_start(folder: JobFolder, job: Job) -> bool:
    """Note one more start; False where there were too many without an end."""
    path = folder.path / "starts.json"
    before = read_json(path)
    starts = before.get("starts", 0) if before.get("run") == job.run else 0
    write_aside(path, f'{{"run": {job.run}, "starts": {starts + 1}}}'.encode())
    folder.note(event="start", run=job.run, at=time.time())
    return starts < _STARTS


class _Run:
    """One run of a job, from the first child to the outcome."""

    def __init__(self, folder: JobFolder, job: Job, files: tuple[int, ...]) -> None:
        self.folder, self.job, self.files = folder, job, files
        self.began = time.monotonic()
        self.destination = folder.output / destination_name(job.source)

    def done(self) -> Outcome | None:
        """How it ended; None where it is only paused, or was cut off."""
        self._prepare()
        if not self.folder.poster.exists():
            Command(["-m", "selfhvd.web.look", str(self.job.source), str(self.folder.path), "--head"],
                    self.folder.log, self.files).follow(self._is_unwanted)  # fmt: skip
        fate = self._restore()
        last = self._copy() if fate.code == 0 and not fate.stopped else fate
        if self.folder.wanted(self.job) in (Wanted.CANCEL, Wanted.GONE):
            return self._outcome("cancelled")
        if last.stopped or last.cut_off or fate.code == 0:
            self._reset_starts()
        if last.stopped or last.cut_off:
            return None
        if fate.code != 0:
            return self._outcome("failed", exit_code=_code(fate), sentence=_sentence(fate), warnings=fate.warnings)
        return self._outcome("done", warnings=fate.warnings, result=self.destination.name)

    def _prepare(self) -> None:
        """An output folder that holds only work of the same frames: of others nothing could be gone on with."""
        marker = self.folder.output / ".settings.json"
        deciding = self.job.settings.model_dump_json(include=set(self.job.settings.deciding)).encode()
        with suppress(OSError):
            if self.folder.output.exists() and marker.read_bytes() != deciding:
                self.folder.clear()
        self.folder.output.mkdir(exist_ok=True)
        write_aside(marker, deciding)

    def _restore(self) -> Fate:
        words = ["-m", "selfhvd", "deblur", str(self.job.source), "-o", str(self.destination)]
        words += ["--progress=json", "--keep-work", "--overwrite", *self.job.settings.words()]
        return self._following(words)

    def _copy(self) -> Fate:
        """The page's copy; the result is there without it, too. An earlier one holds the same frames."""
        return self._following(["-m", "selfhvd.web.copy", str(self.destination), str(self.folder.path)])

    def _following(self, words: list[str]) -> Fate:
        command = Command(words, self.folder.log, self.files)
        return command.follow(self._is_unwanted, _told(self.folder, self.job))

    def _is_unwanted(self) -> bool:
        return self.folder.wanted(self.job) != Wanted.RUN

    def _reset_starts(self) -> None:
        remove(self.folder.path / "starts.json")

    def _outcome(self, state: str, **facts: object) -> Outcome:
        spent = round(time.monotonic() - self.began, 1)
        found = Outcome.model_validate({"run": self.job.run, "state": state, "seconds": spent, **facts})
        sentence = self.folder.without_paths(found.sentence, self.job)
        warnings = tuple(self.folder.without_paths(warning, self.job) for warning in found.warnings)
        return found.model_copy(update={"sentence": sentence, "warnings": warnings})


def destination_name(source: Path) -> str:
    """What the result of a clip is called; a folder of images becomes a video."""
    name = default_destination(source).name
    return f"{name}.mp4" if source.is_dir() else name


def _told(folder: JobFolder, job: Job) -> Callable[[dict[str, object]], None]:
    """Writes what the command says of its progress; the share of the whole never goes back."""
    share = 0.0

    def told(line: dict[str, object]) -> None:
        nonlocal share
        found = {name: line.get(name) for name in ("stage", "done", "total", "eta_s")}
        share = max(share, share_of(str(found["stage"]), found["done"], found["total"]))
        with suppress(OutputError):  # a full disk is for the command to tell
            folder.write(Progress.model_validate({"run": job.run, "share": share, **found}))

    return told


def _code(fate: Fate) -> int:
    return fate.code if fate.code > 0 else SelfHVDError.exit_code


def _sentence(fate: Fate) -> str:
    if fate.sentence:
        return fate.sentence
    if fate.code < 0:
        name = signal.Signals(-fate.code).name
        return f"The system ended the run ({name}), perhaps for want of memory; free some and try again."
    return f"The run ended with exit code {fate.code} and said nothing; try again."


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
