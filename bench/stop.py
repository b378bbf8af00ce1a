"""Ctrl-C once, at many moments of a run: how long until it is gone, and does the same command go on?

    python bench/stop.py CLIP [PRESET [OPTION...]]

Runs `selfhvd deblur CLIP`, sends SIGINT a moment after a stage has come so far, measures the seconds to the end of the
process, and runs the same again for the next moment; so one run is gone through from its start to its end. Right are:
at most 10 s, exit code 130, no traceback, no child process left. Prints a table.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

LIMIT = 10.0
STEPS = (20, 40, 60)
"""Of `balanced` here, and frames trained on: a run is gone through in minutes."""
STAGES = ("read", "scenes", "select", "align", "stage 1", "align again", "stage 2", "restore", "verify")
"""In the order in which they come."""
MOMENTS = {
    "fast": ["", "read 2", "read 12", "scenes 10", "select 1", "select 12", "restore 1", "restore 5", "restore last"],
    "balanced": [
        "",
        "read 2",
        "scenes 10",
        "select 12",
        "align 1",
        "align 12",
        "align last",
        "stage 1 3",
        "align again 1",
        "align again last",
        "stage 2 2",
        "stage 2 last",
        "restore 2",
        "verify 0",
    ],
}  # fmt: skip
"""Stage and how much of it is done; the signal comes up to 3 s later."""


def trial(words: list[str], moment: str, delay: float) -> tuple[str, float, int, bool]:
    """What was going on, seconds to the end, exit code, whether nothing else is left or told."""
    shorter = f"from selfhvd.run import config; config._STEPS['balanced'] = {STEPS}"
    shorter += "; from selfhvd.__main__ import main; main()"
    start = ["-c", shorter] if moment else ["-m", "selfhvd"]  # `shorter` loads torch first
    command = [sys.executable, *start, *words, "--progress", "json"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    lines: list[str] = []
    stage = "start"
    for line in process.stderr if moment else ():
        lines.append(line)
        told = json.loads(line) if line.startswith("{") else {}
        stage = f"{told['stage']} {told['done']}/{told['total']}" if "stage" in told else stage
        if has_come(told, moment):
            break
    time.sleep(delay)
    if process.poll() is not None:
        return "done", 0.0, process.returncode, True
    children = psutil.Process(process.pid).children(recursive=True)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    lines += process.stderr.readlines()
    code = process.wait()
    seconds = time.monotonic() - started
    _, alive = psutil.wait_procs(children, timeout=1)
    return stage, seconds, code, not alive and not any("Traceback" in line for line in lines)


def has_come(told: dict[str, object], moment: str) -> bool:
    """Whether the run is there, or past it."""
    stage, _, done = moment.rpartition(" ")
    now = str(told.get("stage"))
    if now != stage:
        return now in STAGES and STAGES.index(now) > STAGES.index(stage)
    return told["done"] == told["total"] if done == "last" else int(str(told["done"])) >= int(done)


def main() -> None:
    clip, preset = Path(sys.argv[1]).absolute(), sys.argv[2] if len(sys.argv) > 2 else "balanced"
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    draw, bad = random.Random(0), 0
    print("| preset | signal after | and | ended after | exit | well |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        words = ["deblur", str(clip), "-o", f"{folder}/out.mp4", "--preset", preset, "--device", "cpu", *sys.argv[3:]]
        words += ["--from-scratch"] * (preset != "fast")
        for moment in MOMENTS[preset]:
            delay = draw.uniform(0.2, 3.0)
            stage, seconds, code, clean = trial(words, moment, delay)
            # At the very end a run may finish instead.
            finished = code == 0 and Path(folder, "out.mp4").exists()
            well = seconds <= LIMIT and clean and (code == 130 or finished)
            bad += not well
            told = f"| {preset} | {stage} | {delay:.1f} s | {seconds:.1f} s | {code} | {'yes' if well else 'NO'} |"
            print(told, flush=True)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
