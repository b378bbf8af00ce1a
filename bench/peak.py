"""How much memory does a command take, it and its children together?

    python bench/peak.py selfhvd deblur CLIP -o OUT.mp4

Runs the command and looks ten times a second at what it and its child processes hold (resident, pages of files that are
mapped apart). Prints the greatest sum, how it divides, and the stage in which it was met.
"""

import contextlib
import json
import subprocess
import sys
import threading
import time

import psutil

EVERY = 0.1


def held(process: psutil.Process) -> tuple[int, int]:
    """Resident bytes, and those of them that are of files or shared."""
    memory = process.memory_info()
    return memory.rss, memory.shared


def main() -> None:
    words = [*sys.argv[1:], "--progress", "json"]
    started = time.monotonic()
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    now, peaks = ["start"], dict[str, tuple[int, str]]()

    def follow() -> None:
        for line in process.stderr or ():
            told = json.loads(line) if line.startswith("{") else {}
            now[0] = str(told.get("stage", now[0]))
            if "stage" not in told:
                sys.stderr.write(line)

    reader = threading.Thread(target=follow, daemon=True)
    reader.start()
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(process.pid)
            own, mapped = held(parent)
            children = sum(held(child)[0] for child in parent.children(recursive=True))
            told = f"{own / 1e9:.2f} (of it files {mapped / 1e9:.2f}) | {children / 1e9:.2f}"
            peaks[now[0]] = max(peaks.get(now[0], (0, "")), (own + children, told))
        time.sleep(EVERY)
    reader.join()
    print("| stage | peak together, GB | the process itself | its children |\n|---|---|---|---|")
    for stage, (total, told) in peaks.items():
        print(f"| {stage} | {total / 1e9:.2f} | {told} |")
    greatest, seconds = max(peaks.values())[0], time.monotonic() - started
    print(f"\npeak {greatest / 1e9:.2f} GB, {seconds:.0f} s, exit code {process.returncode}")


if __name__ == "__main__":
    main()
