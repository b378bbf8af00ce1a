"""Hand every odd file to the command line and hold it to its promises; a Markdown table comes out.

    python bench/odd_run.py FOLDER_OR_FILE... [--through] [--make FOLDER] [--jobs 1]

P1 the result is the input's twin; P3 a failure is a documented exit code and one sentence; P4 the input is
unchanged; P5 nothing is left behind. `--through` reads and writes without restoring, to test the file side alone.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import odd_through
from odd_check import differences
from odd_files import make_all

IDLE = 120.0  # seconds without a sign of life
CODES = (0, 2, 3, 4, 5, 6, 7)
NO_FILES = (
    "https://example.org/a.mp4", "concat:a.mp4|b.mp4", "subfile:,,start,0,end,9,,:a.mp4", "file:///etc/passwd",
    "/dev/zero", "no such file.mp4", "data:video/mp4;base64,AAAA",
)  # fmt: skip
NAMES = {".gif": ".mp4", ".webp": ".mp4", ".264": ".mkv", ".wmv": ".mkv", ".flv": ".mkv"}


@dataclass
class Outcome:
    """What happened to one input."""

    name: str
    right: str
    code: int | None = None
    sentence: str = ""
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def attempt(source: str, right: str, through: bool) -> Outcome:
    """Run one input in a subprocess and look at everything it touched."""
    outcome = Outcome(Path(source).name, right)
    path = Path(source)
    regular = path.is_file()
    before = hashlib.sha256(path.read_bytes()).hexdigest() if regular else ""
    with tempfile.TemporaryDirectory(prefix="odd-") as name:
        folder, scratch = Path(name) / "out", Path(name) / "tmp"
        folder.mkdir()
        scratch.mkdir()
        suffix = path.suffix.lower() or ".mp4"
        result = folder / f"result{NAMES.get(suffix, suffix)}"
        began = time.monotonic()
        lines = follow(words(source, result, through), Path(name) / "log", scratch, outcome)
        outcome.seconds = time.monotonic() - began
        judge(outcome, lines)
        if outcome.code == 0 and result.exists():
            try:
                outcome.faults += [f"P1 {d}" for d in differences(path, result, "\n".join(outcome.warnings))]
            except Exception as error:
                outcome.faults.append(f"P1 result cannot be read: {error!r}")
        elif outcome.code == 0:
            outcome.faults.append("P1 no result")
        wanted = {result.name, "result.report.html", "result.run.json"} if outcome.code == 0 else set[str]()
        left = {p.name for p in folder.iterdir()} - wanted
        if left or any(scratch.iterdir()):
            outcome.faults.append(f"P5 left: {sorted(left)} {[p.name for p in scratch.iterdir()]}")
    if regular and hashlib.sha256(path.read_bytes()).hexdigest() != before:
        outcome.faults.append("P4 the input was changed")
    if right != "either" and outcome.code is not None and (outcome.code == 0) != (right == "result"):
        outcome.faults.append(f"a {right} was due")
    return outcome


def words(source: str, result: Path, through: bool) -> list[str]:
    """The command line: of this project, or of `odd_through`."""
    if through:
        return ["odd_through", source, str(result)]
    return ["selfhvd", "deblur", source, "-o", str(result), "--preset", "fast", "--device", "cpu", "--progress", "json"]


def obey(command: list[str], log: Path, scratch: Path) -> None:
    """Be that command: its standard error goes to `log`, its temporary files to `scratch`."""
    os.environ.update(TMPDIR=str(scratch), OMP_NUM_THREADS="1", SVT_LOG="0")
    tempfile.tempdir = None
    with log.open("wb") as told, open(os.devnull, "wb") as nowhere:
        os.dup2(told.fileno(), 2)
        os.dup2(nowhere.fileno(), 1)
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = command
    if command[0] == "selfhvd":
        from selfhvd.cli import main

        main()
    else:
        sys.exit(odd_through.main(Path(command[1]), Path(command[2])))


def follow(command: list[str], log: Path, scratch: Path, outcome: Outcome) -> list[str]:
    """Run to the end in a process of its own; the lines on standard error. One that says nothing is ended.

    Processes are forked from one that has loaded the libraries, which would take most of the time.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["selfhvd.cli", "selfhvd.run.job", "odd_through"])
    process = context.Process(target=obey, args=(command, log, scratch))
    process.start()
    heard, size = time.monotonic(), -1
    while process.is_alive():
        process.join(0.1)
        now = log.stat().st_size if log.exists() else 0
        if now != size:
            heard, size = time.monotonic(), now
        elif time.monotonic() - heard > IDLE:
            outcome.faults.append(f"hung for {IDLE:.0f} s")
            process.kill()
            process.join()
    outcome.code = process.exitcode
    return [line for line in log.read_text(errors="replace").splitlines() if line.strip()]


def judge(outcome: Outcome, lines: list[str]) -> None:
    """Exit code, one sentence, no traceback."""
    errors: list[str] = []
    strays: list[str] = []
    for line in lines:
        try:
            told = json.loads(line)
        except ValueError:
            strays.append(line)
            continue
        if "error" in told:
            errors.append(told["error"])
        elif told.get("level") == "warning":
            outcome.warnings.append(told["message"])
    if strays:
        outcome.faults.append(f"P3 {len(strays)} stray lines: {strays[-1][:80]}")
    if outcome.code not in CODES:
        outcome.faults.append(f"P3 exit code {outcome.code}")
    if (outcome.code != 0) != (len(errors) == 1) or any("\n" in error for error in errors):
        outcome.faults.append(f"P3 {len(errors)} sentences for exit code {outcome.code}: {errors}")
    outcome.sentence = errors[0] if errors else ""


def table(outcomes: list[Outcome]) -> str:
    """Markdown."""
    rows = ["| input | code | s | promises | said |", "|---|---:|---:|---|---|"]
    for o in outcomes:
        said = (o.sentence or "; ".join(o.warnings)).replace("|", "\\|").replace("\n", " ")
        held = "; ".join(o.faults).replace("|", "\\|").replace("\n", " ") or "held"
        shown = o.name.replace("\n", "\\n").replace("|", "\\|")
        rows.append(f"| `{shown[:40]}` | {o.code} | {o.seconds:.1f} | {held} | {said[:230]} |")
    bad = sum(bool(o.faults) for o in outcomes)
    return "\n".join([*rows, "", f"{len(outcomes)} inputs, {bad} with a broken promise."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", nargs="*", type=Path)
    parser.add_argument("--make", type=Path, help="write the odd clips here and run them")
    parser.add_argument("--through", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="", help="run inputs whose name contains this")
    options = parser.parse_args()
    todo = [(str(options.make / c.name), c.right) for c in make_all(options.make)] if options.make else []
    todo += [(text, "refusal") for text in NO_FILES] if options.make else []
    for item in options.inputs:
        files = sorted(item.iterdir()) if item.is_dir() else [item]
        todo += [(str(file), "either") for file in files]
    todo = [(source, right) for source, right in todo if options.only in source]
    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes: list[Outcome] = []
        for outcome in pool.map(lambda one: attempt(*one, options.through), todo):
            outcomes.append(outcome)
            print(outcome.name[:40], outcome.code, outcome.faults, file=sys.stderr, flush=True)
    print(table(outcomes))
    sys.exit(any(outcome.faults for outcome in outcomes))


if __name__ == "__main__":
    main()
