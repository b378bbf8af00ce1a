"""How long whole commands take by the code of two trees, one after the other in turns, on this machine.

    python bench/speed.py BEFORE_TREE AFTER_TREE CLIP ... [--times 2] [--options=--workers=1]

A tree is a checkout; the environment is that of the Python that runs this. Each line: the clip, its frames and size,
the least seconds of each tree, and their ratio.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from selfhvd.video.probe import probe


def seconds(tree: Path, clip: Path, options: list[str]) -> float:
    """Of the whole command, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "selfhvd", str(clip), "-o", f"{folder}/out{clip.suffix}", "--quiet", *options]
        environment = os.environ | {"PYTHONPATH": str(tree / "src")}
        started = time.monotonic()
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - started


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--times", type=int, default=2)
    parser.add_argument("--options", default="", help="of the command of the second tree")
    asked = parser.parse_args()
    print(f"{psutil.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("| clip | frames | before, s | after, s | s a frame | times as fast |\n|---|---|---|---|---|---|")
    for clip in asked.clips:
        head = probe(clip)
        before, after = list[float](), list[float]()
        for _ in range(asked.times):
            before.append(seconds(asked.before, clip, []))
            after.append(seconds(asked.after, clip, asked.options.split()))
        least, new = min(before), min(after)
        size = f"{head.frames} of {head.width}x{head.height}"
        print(
            f"| {clip.stem} | {size} | {least:.1f} | {new:.1f} | {new / head.frames:.2f} | {least / new:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
