"""Flip bytes of small clips and cut them, by seed, and hand each to `selfhvd inspect`: no traceback, hang or crash.

    python bench/fuzz.py CLIP... [--flips 1000] [--cuts 200]

Each spoilt copy must end with facts and exit code 0, or with exit code 3 and one sentence.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from selfhvd.cli import main as main_of_selfhvd

HANG = 60.0  # seconds


def spoilt(data: bytes, turn: int, flips: int) -> bytes:
    """The copy of number `turn`: up to 30 bytes changed, or cut at a random place once the flips are done."""
    rng = np.random.default_rng(turn)
    if turn >= flips:
        return data[: int(rng.integers(1, len(data)))]
    copy = bytearray(data)
    # Half of the changes hit the headers, where they do more than blur a block.
    reach = len(copy) if turn % 2 else min(len(copy), 3000)
    base = 0 if turn % 4 < 2 else len(copy) - reach
    for spot in rng.integers(0, reach, int(rng.integers(1, 31))):
        copy[base + int(spot)] ^= int(rng.integers(1, 256))
    return bytes(copy)


def inspect(path: Path, folder: Path) -> str:
    """How `selfhvd inspect` ended, run whole in a process forked here: the libraries are loaded once."""
    told, errors = folder / "told", folder / "errors"
    child = os.fork()
    if child == 0:
        for name, number in ((told, 1), (errors, 2)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), number)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        sys.argv = ["selfhvd", "inspect", str(path), "--json", "--progress", "none"]
        code = 0
        try:
            main_of_selfhvd()
        except SystemExit as stop:
            code = int(stop.code or 0)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    began = time.monotonic()
    while (done := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() - began > HANG:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "HANG"
        time.sleep(0.002)
    code, said = os.waitstatus_to_exitcode(done[1]), errors.read_text(errors="replace").strip()
    if "Traceback" in said:
        return "TRACEBACK: " + said.splitlines()[-1][:150]
    if code == 0:
        json.loads(told.read_text())
        return "code 0, and a warning" if said else "code 0"
    sentences = [line for line in said.splitlines() if line.startswith("selfhvd: ")]
    if code != 3 or len(sentences) != 1:
        return f"FAULT: code {code}: {said[-150:]}"
    return "code 3, decoder crashed or hung" if "made the decoder stop" in said else "code 3, one sentence"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60.0)
    options = parser.parse_args()
    count, began = options.flips + options.cuts, time.monotonic()
    ends, examples, done = Counter[str](), dict[str, str](), 0
    for turn in range(count):
        if time.monotonic() - began > 60 * options.minutes:
            break
        # Cuts are as many a minute as flips, should time run out.
        turn = turn // 6 + options.flips if turn % 6 == 5 and turn // 6 < options.cuts else turn - (turn + 1) // 6
        clip = options.clips[turn % len(options.clips)]
        with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
            path = Path(name) / f"spoilt{clip.suffix}"
            path.write_bytes(spoilt(clip.read_bytes(), turn, options.flips))
            end = inspect(path, Path(name))
        done += 1
        ends[end] += 1
        examples.setdefault(end, f"{clip.name}, turn {turn}")
    print(f"{done} spoilt copies of {len(options.clips)} clips in {time.monotonic() - began:.0f} s\n")
    print("| end | times | for example |\n|---|---:|---|")
    for end, times in ends.most_common():
        print(f"| {end} | {times} | {examples[end]} |")
    sys.exit(any(word in end for end in ends for word in ("HANG", "TRACEBACK", "FAULT")))


if __name__ == "__main__":
    main()
