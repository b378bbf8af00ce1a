"""The folder of one job: where everything of it lies, and how its small files are read and written."""

import contextlib
import html
import json
import shutil
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from pydantic import ValidationError

from selfhvd.errors import OutputError
from selfhvd.run.places import work_path
from selfhvd.system.atomic import remove, write_aside
from selfhvd.system.lock import is_locked, locked
from selfhvd.web.record import Job, Outcome, Progress, Record, Wanted

Kind = TypeVar("Kind", bound=Record)


@dataclass(frozen=True)
class JobFolder:
    """Everything of one job; `job.json` makes a folder one."""

    path: Path

    @property
    def record(self) -> Path:
        """What is wanted."""
        return self.path / "job.json"

    @property
    def clip(self) -> Path:
        """Folder of the clip that was sent; none where a clip of this machine was named."""
        return self.path / "input"

    @property
    def output(self) -> Path:
        """Folder of the result, its report, and the work folder."""
        return self.path / "output"

    @property
    def poster(self) -> Path:
        """The clip's first frame."""
        return self.path / "poster.jpg"

    @property
    def facts(self) -> Path:
        """What the clip says of itself."""
        return self.path / "facts.json"

    @property
    def look(self) -> Path:
        """What else was found by looking at the clip, before any run: forecasts and curve."""
        return self.path / "look.json"

    @property
    def looked(self) -> Path:
        """There once all is found that a look finds, or it failed."""
        return self.path / "looked"

    @property
    def copy(self) -> Path:
        """Before and after in one video that browsers play."""
        return self.path / "play.mp4"

    @property
    def copy_facts(self) -> Path:
        """How the copy is laid out, and its times."""
        return self.path / "play.json"

    @property
    def log(self) -> Path:
        """What the processes of this job wrote on standard error."""
        return self.path / "log.txt"

    @property
    def history(self) -> Path:
        """One line for each start and each end of a run."""
        return self.path / "history.jsonl"

    def job(self) -> Job | None:
        """None where there is none, or none that this version can read."""
        return read(self.record, Job)

    def wanted(self, job: Job) -> Wanted:
        """What a person wants now; what `job` said, where the record is there but cannot be read."""
        now = self.job()
        if now is not None:
            return now.wanted
        try:
            self.record.stat()
        except FileNotFoundError:
            return Wanted.GONE
        except OSError:
            return job.wanted
        return job.wanted

    def progress(self, job: Job) -> Progress | None:
        """Of the run that the job is in."""
        found = read(self.path / "progress.json", Progress)
        return found if found is not None and found.run == job.run else None

    def outcome(self, job: Job) -> Outcome | None:
        """Of the run that the job is in."""
        found = read(self.path / "outcome.json", Outcome)
        return found if found is not None and found.run == job.run else None

    def earlier(self, job: Job) -> Outcome | None:
        """Of the run before, while the file that it wrote still stands; None where none does."""
        found = read(self.path / "outcome.json", Outcome)
        stands = found is not None and found.run < job.run and found.state == "done" and self.result(found).is_file()
        return found if stands else None

    def end(self, job: Job, outcome: Outcome) -> None:
        """Write down how a run ended; for whoever holds the job.

        A run that only was to write a finished file again takes nothing away where it does not come to its end: the
        file of the run before stays the result.
        """
        earlier = self.earlier(job)
        if outcome.state != "done" and earlier is not None:
            told = (f"It could not be written again: {outcome.sentence}",) if outcome.sentence else ()
            outcome = earlier.model_copy(update={"run": job.run, "warnings": earlier.warnings + told})
        elif outcome.state == "cancelled":
            self.clear()
        self.write(outcome)
        self.note(event="end", run=job.run, state=outcome.state, at=time.time())

    def write(self, record: Progress | Outcome) -> None:
        """Put a record in its place, whole."""
        write_aside(self.path / f"{type(record).__name__.lower()}.json", record.model_dump_json().encode())

    def note(self, **facts: object) -> None:
        """Add a line to the history."""
        with contextlib.suppress(OSError), self.history.open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")

    def result(self, outcome: Outcome) -> Path:
        """The file that the run wrote."""
        return self.output / Path(outcome.result).name

    def work(self, outcome: Outcome) -> Path:
        """Where its frames are kept, for another strength."""
        return work_path(self.result(outcome))

    @property
    def _lock(self) -> Path:
        return self.path / "lock"

    @contextlib.contextmanager
    def held(self, patience: float = 0.0) -> Generator[IO[bytes]]:
        """Be the only one who works on the job; `OutputError` where another does."""
        busy = OutputError(f"Job {self.path.name} is being worked on.")
        with locked(self._lock, busy, patience) as file:
            yield file

    def is_held(self) -> bool:
        """Whether some process works on it."""
        return is_locked(self._lock)

    def lend(self, source: Path, other: "JobFolder") -> Path:
        """Give another job the same clip, and what was found of it: no byte is stored twice where links are known."""
        for path in (self.facts, self.poster, self.look, self.looked):
            if path.exists():
                shutil.copyfile(path, other.path / path.name)
        if not source.is_relative_to(self.path):
            return source
        lent = other.clip / source.name
        try:
            lent.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, lent)
        return lent

    def without_paths(self, text: str, job: Job, clip: str = "The clip") -> str:
        """What a run said or wrote, without the paths of this machine: whoever sent a clip never saw them.

        `clip` stands for the clip; a path may be written as in JSON or in HTML.
        """
        for path, shown in ((str(job.source), clip), (f"{self.output}/", ""), (f"{self.path}/", "")):
            for written in (path, json.dumps(path)[1:-1], html.escape(path)):
                text = text.replace(written, shown)
        return text

    def clear(self) -> None:
        """Take away what a run wrote; for whoever holds the job."""
        for path in (self.output, self.copy, self.copy_facts, self.path / "progress.json"):
            remove(path)


def read(path: Path, kind: type[Kind]) -> Kind | None:
    """A record; None where there is none that can be read."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none that can be read."""
    try:
        found: object = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
