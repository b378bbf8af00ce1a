"""Flip bytes of small clips and cut them, by seed, and decode each: no traceback, no hang, no crash unheard.

    python bench/fuzz.py CLIP... [--flips 1000] [--cuts 200] [--inspect 20]

Each spoilt copy goes to the decoding process, forked here so that a thousand take minutes: it must end with frames
or with one sentence. Every so often (`--inspect` times in all) the whole command `selfhvd inspect` gets it, too.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from selfhvd.video import decode, worker  # noqa: F401 - decode is loaded before the fork

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


def decode_forked(path: Path, folder: Path) -> str:
    """How the decoding process ended."""
    (folder / "frames").mkdir(parents=True)
    told, errors = folder / "told", folder / "errors"
    limits = {"pixels": 4096 * 4096, "frames": 100_000, "streams": 128, "stall": 60}
    request = {"task": "decode", "source": str(path), "folder": str(folder), "limits": limits}
    child = os.fork()
    if child == 0:
        os.dup2(os.open(told, os.O_WRONLY | os.O_CREAT), 1)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT), 2)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        code = worker.main(json.dumps(request))
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
    code = os.waitstatus_to_exitcode(done[1])
    if code < 0:
        return f"crash, signal {-code} (the parent says so)"
    if code > 0 or "Traceback" in errors.read_text(errors="replace"):
        return "TRACEBACK: " + (errors.read_text(errors="replace").strip().splitlines() or [""])[-1][:150]
    last = json.loads(told.read_text().strip().splitlines()[-1])
    if "error" in last:
        return "SENTENCE OF TWO LINES" if "\n" in last["message"] else "one sentence"
    warned = json.loads((folder / "footage.json").read_text())["warnings"]
    return "frames and a warning" if warned else "frames"


def inspect(path: Path) -> str:
    """How the whole command ended."""
    command = [sys.executable, "-m", "selfhvd", "inspect", str(path), "--progress", "none"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        return "inspect: HANG"
    if "Traceback" in done.stderr or done.returncode not in (0, 3):
        return f"inspect: FAULT, code {done.returncode}: {done.stderr[-150:]}"
    return f"inspect: code {done.returncode}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--inspect", type=int, default=20)
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
            how = [decode_forked(path, Path(name) / "cache")]
            if options.inspect and done % max(1, count // options.inspect) == 0:
                how.append(inspect(path))
        done += 1
        for end in how:
            ends[end] += 1
            examples.setdefault(end, f"{clip.name}, turn {turn}")
    print(f"{done} spoilt copies of {len(options.clips)} clips in {time.monotonic() - began:.0f} s\n")
    print("| end | times | for example |\n|---|---:|---|")
    for end, times in ends.most_common():
        print(f"| {end} | {times} | {examples[end]} |")
    sys.exit(any(word in end for end in ends for word in ("HANG", "TRACEBACK", "TWO LINES", "FAULT")))


if __name__ == "__main__":
    main()
