"""Work folder: where a run keeps what it has done, beside its destination, so that the same command goes on from it."""

import errno
import json
import logging
import os
import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import psutil

from selfhvd.errors import InputError, OutputError, SelfHVDError, Stopped
from selfhvd.run.manifest import Facts, changes
from selfhvd.run.places import FOOTAGE, RESTORED, beside, work_path
from selfhvd.system.atomic import part_path, remove, write_aside
from selfhvd.system.lock import locked
from selfhvd.system.progress import Progress, Stage
from selfhvd.video import Footage, ingest
from selfhvd.video.destination import is_folder
from selfhvd.video.footage import RECORD
from selfhvd.video.frame_file import is_whole_frame
from selfhvd.video.part import Part

log = logging.getLogger(__name__)

_JOB, _LOCK, _HOLDER, _PLACED = "job.json", "lock", "holder", "placed.json"


class WorkFolder:
    """The folder of one destination, held by this process alone."""

    def __init__(self, destination: Path) -> None:
        self.destination = destination
        self.path = work_path(destination)
        self.restored = self.path / RESTORED
        self._footage = self.path / FOOTAGE

    def begin(self, job: Facts, *, restart: bool = False) -> None:
        """Go on from what is there if it is of the same job, else begin.

        Raises:
            OutputError: it is of another job, or cannot be written.
        """
        before = None if restart else self._job()
        if before is None:
            self._clear()
            write_aside(self.path / _JOB, json.dumps(dict(job), indent=2).encode())
        elif changed := changes(before, job):
            told = ", ".join(changed[:4]) + (f" and {len(changed) - 4} more" if len(changed) > 4 else "")
            raise OutputError(
                f"{self.path} holds an earlier run's work, and since then this changed: {told}; "
                "put it back to go on, or begin anew with --restart."
            )

    def footage(
        self, source: Path, on_progress: Progress, rate: Fraction | None = None, part: Part | None = None
    ) -> Footage:
        """The frames of `source`, or of a part: those laid out by an earlier run if they are whole, else decoded now.

        `rate`: frames per second of a folder of images.
        """
        footage = self._laid_out()
        if footage is not None:
            log.info("going on with the frames that an earlier run laid out")
            return self._renamed(footage, source)
        return ingest(
            source,
            self._footage,
            on_frame=lambda n, of: on_progress(Stage.READ, n, of or 0),
            rate=rate,
            destination=None if is_folder(self.destination) else self.destination,
            part=part,
        )

    def _laid_out(self) -> Footage | None:
        """What an earlier run laid out, if it is whole; that it cannot be used is said."""
        if not (self._footage / RECORD).exists():
            return None
        try:
            footage = Footage.load(self._footage)
        except InputError:
            log.warning("%s is damaged or was laid out by another version: the clip is read again", self._footage)
            remove(self.restored)  # another version's files have other names and would lie there unused
            return None
        if all(is_whole_frame(footage.path(i)) for i in range(len(footage))):
            return footage
        log.warning("%s has damaged frames: the clip is read again", self._footage)
        return None

    def held(self) -> int:
        """Bytes that an earlier run left to go on from."""
        with suppress(OSError):
            return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())
        return 0

    @staticmethod
    def _renamed(footage: Footage, source: Path) -> Footage:
        """The clip may be called otherwise from here, as when the command runs in another folder."""
        if footage.source != source:
            footage = replace(footage, source=source)
            footage.save()
        return footage

    def place(self, part: Path) -> None:
        """Note that `part` is about to become the destination."""
        write_aside(self.path / _PLACED, json.dumps(_identity(part)).encode())

    def placed(self) -> bool:
        """Whether the destination is what an earlier run put there before it was cut off."""
        try:
            return json.loads((self.path / _PLACED).read_bytes()) == _identity(self.destination)
        except (OSError, ValueError):
            return False

    def finish(self) -> None:
        """Note that what was placed is done: a later run needs leave to replace it."""
        remove(self.path / _PLACED)

    @property
    def is_worth_keeping(self) -> bool:
        """Whether an unfinished run left something to go on from."""
        return (self._footage / RECORD).exists()

    def _job(self) -> Facts | None:
        path = self.path / _JOB
        if not path.exists():
            return None
        try:
            job: Any = json.loads(path.read_bytes())
        except (OSError, ValueError):
            job = None
        if not isinstance(job, Mapping):
            log.warning("%s is damaged: the run begins anew", path)
            return None
        return job  # pyright: ignore[reportUnknownVariableType]

    def _clear(self) -> None:
        for path in self.path.iterdir():
            if path.name not in (_LOCK, _HOLDER):
                remove(path)


@contextmanager
def open_work_folder(destination: Path, *, keep: bool = False) -> Generator[WorkFolder]:
    """The work folder of `destination`, made where there is none, ours alone while the context lasts.

    After success it is gone, unless it is to be kept: then a later run on the same job finds all its frames restored.
    After a failure it stays if it holds something to go on from, and the message says where.

    Raises:
        OutputError: another process holds it, or it cannot be made.
    """
    work = WorkFolder(destination)
    gone = beside(destination, ".selfhvd-done")
    remove(gone)
    try:
        work.path.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{work.path} cannot be made ({error.strerror}); choose another output.") from error
    with locked(work.path / _LOCK, _busy(work)):
        try:
            _note_holder(work)
            _sweep(destination)
            with _full_disk_told(work.path):
                yield work
        except BaseException as error:
            if work.is_worth_keeping:
                _tell(error, work)
                raise
            _leave(work.path, gone)
            if isinstance(error, Stopped):
                error.args = ("stopped before anything was worth keeping; nothing is left.",)
            raise
        if keep:
            work.finish()
        else:
            _leave(work.path, gone)


@contextmanager
def _full_disk_told(folder: Path) -> Generator[None]:
    """A full disk is one sentence, also where whoever wrote did not expect it."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OutputError(
            f"{folder}, or the folder for temporary files, is full ({error.strerror}); make room and try again."
        ) from error


def _tell(error: BaseException, work: WorkFolder) -> None:
    """Add to the message where the state lies."""
    kept = f"what was done so far is kept in {work.path}, and the same command goes on from there."
    if isinstance(error, SelfHVDError):
        error.args = (f"{str(error).removesuffix('.')} ({kept.removesuffix('.')}).",)
    elif isinstance(error, Stopped | KeyboardInterrupt):
        error.args = (f"stopped; {kept}",)
    else:
        log.warning("%s", kept)


def _busy(work: WorkFolder) -> OutputError:
    holder = "another selfhvd"
    with suppress(OSError, UnicodeDecodeError):
        holder = (work.path / _HOLDER).read_text(encoding="utf-8").strip() or holder
    return OutputError(f"{work.destination} is being made by {holder}; wait for it, or choose another output.")


def _note_holder(work: WorkFolder) -> None:
    with suppress(OSError):
        (work.path / _HOLDER).write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")


def _sweep(destination: Path) -> None:
    """Clear away what killed runs left of this destination and its reports."""
    stem, folder = destination.stem, destination.absolute().parent
    for name in (destination.name, f"{stem}.report.html", f"{stem}.run.json"):
        start = part_path(destination.with_name(name)).name.removesuffix(f"{os.getpid()}.part")
        for path in [path for path in folder.iterdir() if path.name.startswith(start)]:
            process, _, ending = path.name.removeprefix(start).partition(".")
            if process.isdecimal() and ending in ("part", "old") and not psutil.pid_exists(int(process)):
                _put_back(path, destination) if ending == "old" else remove(path)


def _put_back(old: Path, destination: Path) -> None:
    """A folder that had made way for a new one, which then did not come."""
    if destination.exists():
        remove(old)
    else:
        with suppress(OSError):
            os.replace(old, destination)


def _leave(path: Path, gone: Path) -> None:
    """Remove a folder so that nobody finds half of it."""
    with suppress(OSError):
        os.replace(path, gone)
    remove(gone)
    remove(path)


def _identity(path: Path) -> dict[str, int]:
    """What a rename leaves as it was."""
    stat = path.stat()
    return {"inode": stat.st_ino, "changed": stat.st_mtime_ns, "size": stat.st_size}
