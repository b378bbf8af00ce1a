"""Fill the disk at many moments of a run, free it, and run the same again: is all told, kept and gone on with?

    python bench/full_disk.py

Needs the right to mount a small tmpfs. `selfhvd deblur clip.mp4 -o DISK/OUT --preset balanced --device cpu` with few
steps of learning, on a synthetic clip (64x48, 12 frames), in a fork of this process, which has torch loaded. At each
moment a ballast file takes all that is free but a few pages; every other time an older result is in place
(`--overwrite`). Right are: exit code 4; one sentence that names what is full and what to do; the older result as it
was, byte for byte, or none (unless the run was past the result); after the ballast is gone, the same command begins
where it should, its frames are those of a run that nothing stops (SHA-256), and nothing else is left. Prints a table.
"""

import hashlib
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selfhvd.video import Frame
    from selfhvd.video.write.writer import Writer

TESTS = Path(__file__).resolve().parent.parent / "tests"
STEPS, SIZE, PAGE, OLD = 12, "96m", 4096, b"an older result"
FRAMES = -1
"""As many pages as the frames take."""


@dataclass(frozen=True)
class Moment:
    """When the disk fills up, and what the next run begins with."""

    what: str
    at: tuple[str, int]
    """Stage and how much of it is done; or a function, 0: just before it is called, 1: just after; or write, and the
    number of the frame that is about to be handed to the encoder."""
    leaving: int
    """Pages that stay free."""
    resumes: str
    anew: int = 12
    """Frames that it restores; one that comes back as it came is a link, and a full disk has room for that."""
    after_result: bool = False


MOMENTS = [
    Moment("before the start", ("check_room", 0), 0, "read 1"),
    Moment("frames are read", ("check_room", 1), 12, "read 1"),
    Moment("frames are read: their record", ("check_room", 1), FRAMES, "read 1"),
    Moment("scenes are kept", ("select", 12), 0, "scenes 1"),
    Moment("room for training material", ("select", 12), 4, "align 1"),
    Moment("training material's captions", ("align", 2), 0, "align 1"),
    Moment("learning: first state", ("stage 1", 3), 0, "align 4"),
    Moment("learning: later state", ("stage 1", 11), 0, "align 4, stage 1 11"),
    Moment("learning: state cut off in the middle", ("stage 1", 11), 500, "align 4, stage 1 11"),
    Moment("second training material's captions", ("align again", 2), 0, "align again 1"),
    Moment("learning: second stage", ("stage 2", 3), 0, "align again 4, stage 2 1"),
    Moment("what was learned", ("stage 2", 12), 0, "align again 4, stage 2 11"),
    Moment("restored frames are kept", ("restore", 4), 0, "restore 1", 6),
    Moment("restored frame cut off in the middle", ("restore", 4), 1, "restore 1", 6),
    Moment("the result is coded", ("write", 11), 0, "restore 1", 0),
    Moment("the result is coded: cut off in the middle", ("write", 11), 2, "restore 1", 0),
    Moment("the result is about to be put in place", ("place", 0), 0, "restore 1", 0),
    Moment("the report", ("write_report", 0), 0, "restore 1", 0, after_result=True),
    Moment("run.json", ("write_run", 0), 0, "restore 1", 0, after_result=True),
]


def fill(disk: Path, leaving: int) -> None:
    """Leave so many pages free, whoever else is writing."""
    while True:
        state = os.statvfs(disk)
        with suppress(OSError), (disk / "ballast").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, state.f_bavail * state.f_frsize - leaving * PAGE))
            return


def run(words: list[str], disk: Path, log: Path, moment: Moment | None) -> None:
    """The command; `log` is told the progress and at last the digest of the frames, `log`.txt what is said."""
    import selfhvd.cli.clip_runs as runs
    import selfhvd.run.job as jobs
    import selfhvd.run.tasks as tasks
    from clips_for_tests import quick
    from selfhvd.cli import main
    from selfhvd.run.work_folder import WorkFolder
    from selfhvd.video.write.writer import Writer

    os.dup2(os.open(log.with_suffix(".txt"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    digest, told, deblur = hashlib.sha256(), log.open("w", buffering=1), runs.deblur
    write, keep, anew = Writer.write, tasks.write_frame, list[object]()

    def now(name: str, done: int) -> None:
        if moment is not None and moment.at == (name, done) and not (disk / "ballast").exists():
            fill(disk, moment.leaving)

    def around(function: Callable[..., object], name: str) -> Callable[..., object]:
        def called(*given: object) -> object:
            now(name, 0)
            found = function(*given)
            now(name, 1)
            return found

        return called

    def progress(stage: str, done: int, total: int) -> None:
        told.write(f"{stage} {done}\n")
        now(stage, done)

    def written(writer: "Writer", frame: "Frame") -> None:
        now("write", writer.written)
        write(writer, frame)

    def kept(path: Path, frame: "Frame") -> None:
        keep(path, frame)
        anew.append(path)

    Writer.write, tasks.write_frame = written, kept
    for name in ("check_room", "write_report", "write_run"):
        setattr(jobs, name, around(getattr(jobs, name), name))
    WorkFolder.place = around(WorkFolder.place, "place")
    runs.deblur = lambda *given, **options: deblur(
        *given,
        **options
        | {
            "config": quick("balanced", steps=STEPS, flow="dis"),
            "on_progress": progress,
            "on_frame": lambda index, frame: digest.update(frame.tobytes()),
        },
    )
    sys.argv = ["selfhvd", *words]
    try:
        main()
    finally:
        told.write(f"{len(anew)}\n{digest.hexdigest()}\n")


def command(words: list[str], disk: Path, log: Path, moment: Moment | None = None) -> tuple[int | None, str, list[str]]:
    """Exit code, what was said, progress."""
    process = multiprocessing.get_context("fork").Process(target=run, args=(words, disk, log, moment))
    process.start()
    process.join()
    return process.exitcode, log.with_suffix(".txt").read_text().strip(), log.read_text().splitlines()


def first_of_each(progress: list[str]) -> str:
    """Where each stage began."""
    begun: dict[str, str] = {}
    for line in progress[:-2]:
        begun.setdefault(line.rpartition(" ")[0], line)
    return ", ".join(begun.values())


def sentence_is_good(said: str) -> bool:
    """One line that says what is full and what to do."""
    full = "No space left on device" in said or "are free" in said
    to_do = any(words in said for words in ("make room", "check space", "choose another"))
    return "\n" not in said and full and to_do and said.startswith("selfhvd: ") and "unexpected" not in said


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def trial(source: Path, disk: Path, output: str, moment: Moment, old: bool, right: str) -> tuple[list[str], bool]:
    """The cells of a row, and whether all is well."""
    target, log = disk / output, source.with_suffix(".log")
    words = ["deblur", str(source), "-o", str(target), "--preset", "balanced", "--device", "cpu", "-q"]
    if old:
        target.write_bytes(OLD)
        words.append("--overwrite")
    code, said, _ = command(words, disk, log, moment)
    if moment.after_result:
        kept = "the new one" if target.exists() and target.read_bytes() != OLD else "NONE"
    elif old:
        kept = "the old one" if target.read_bytes() == OLD else "CHANGED"
    else:
        kept = "none" if not target.exists() else "SOMETHING"
    left = sorted(names(disk) - {output, "ballast", f".{output}.selfhvd", "out.report.html", "out.run.json"})
    (disk / "ballast").unlink(missing_ok=True)
    again, later, progress = command(words, disk, log)
    begun = first_of_each(progress)
    same, anew = again == 0 and progress[-1] == right, progress[-2]
    tidy = names(disk) == {output, "out.report.html", "out.run.json"} and not left
    good = code == 4 and sentence_is_good(said) and not kept.isupper()
    well = good and begun.startswith(moment.resumes) and anew == str(moment.anew) and same and tidy
    cells = [moment.what, "yes" if old else "no", str(code), said.replace(str(disk), "DISK").removeprefix("selfhvd: ")]
    cells += [kept, begun.split(", restore")[0], anew, "yes" if same else f"NO ({again}: {later})"]
    cells += ["yes" if well else "NO"]
    return [cell.replace("\n", " / ") for cell in cells], well


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A tmpfs."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def pages_of_frames(source: Path, cache: Path) -> int:
    from selfhvd.video import ingest

    footage = ingest(source, cache)
    return sum(-(-footage.path(index).stat().st_size // PAGE) for index in range(len(footage)))


def clear(disk: Path) -> None:
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def main() -> None:
    sys.path.insert(0, str(TESTS))
    import cv2
    import torch

    import selfhvd.cli
    import selfhvd.run.job  # noqa: F401 - loaded before the processes part
    from clips_for_tests import film, views

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    bad = 0
    with tempfile.TemporaryDirectory() as folder, small_disk(Path(folder) / "disk") as disk:
        source = film(Path(folder) / "clip.mp4", views())
        words = ["deblur", str(source), "-o", str(disk / "out.mp4"), "-q"]
        code, said, progress = command(words, disk, source.with_suffix(".log"))
        assert code == 0 and progress[-2] == "12", said
        print(
            "| disk full when | old result | exit | said | at the final path | then begins with | restores "
            "| same frames | well |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        frames = pages_of_frames(source, Path(folder) / "cache")
        for number, moment in enumerate(MOMENTS):
            clear(disk)
            moment = replace(moment, leaving=frames if moment.leaving == FRAMES else moment.leaving)
            cells, well = trial(source, disk, "out.mp4", moment, number % 2 == 1, progress[-1])
            bad += not well
            print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\n{len(MOMENTS)} trials, {bad} not well")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
