"""One long clip over one worker of a fleet and over two: how many times as fast, and are the frames the same?

    python bench/fleet_spread.py [FRAMES] [WIDTH] [HEIGHT]

A node is a core: one worker is a fleet that has one core of this machine for everything, two are one that has two.
The clip is filmed from noise that shakes, one frame in four sharp. Frames are compared on a fifth of it, written
losslessly: x264 codes otherwise with another number of cores.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))


def shaking(count: int, width: int, height: int):
    """A window that wanders over stains and grain."""
    draw = np.random.default_rng(3)
    shape = (height + 200, width + 200)
    grain = cv2.GaussianBlur(draw.normal(size=shape).astype(np.float32), (0, 0), 0.9)[..., None]
    stains = cv2.GaussianBlur(draw.normal(size=(*shape, 3)).astype(np.float32), (0, 0), 6.0)
    wall = np.clip(120 + 28 * grain / grain.std() + 34 * stains / stains.std(), 0, 255).astype(np.uint8)
    for i in range(count):
        left, top = 90 + int(70 * np.sin(i / 7)), 90 + int(60 * np.sin(i / 11))
        view = np.ascontiguousarray(wall[top : top + height, left : left + width])
        yield view if i % 4 == 0 else cv2.blur(view, (11, 5))


def frames_of(path: Path) -> str:
    import av

    digest = hashlib.sha256()
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            digest.update(frame.to_ndarray(format="rgb24").tobytes())
    return digest.hexdigest()


def run(clip: Path, out: Path, workers: int, cores: str, *more: str) -> float:
    words = ["fleet", str(clip), "-o", str(out), "--workers", str(workers), "--spread-over", str(workers)]
    command = ["taskset", "-c", cores, sys.executable, "-m", "selfhvd", *words, "--spread-from", "0", "--json", *more]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(json.loads(done.stdout)["longest_s"])


def main() -> None:
    from clips_for_tests import film

    count, width, height = (int(word) for word in [*sys.argv[1:], "300", "320", "180"][:3])
    with tempfile.TemporaryDirectory() as home:
        clip = film(Path(home) / "clip.mp4", shaking(count, width, height))
        began = time.monotonic()
        one = run(clip, Path(home) / "one", 1, "0")
        two = run(clip, Path(home) / "two", 2, "0,1")
        spared = run(clip, Path(home) / "spared", 1, "0,1")
        short = film(Path(home) / "short.mkv", shaking(count // 5, width, height))
        for name, workers, cores in (("lossless one", 1, "0"), ("lossless two", 2, "0,1")):
            run(short, Path(home) / name, workers, cores, "--codec", "ffv1")
        made = {frames_of(path) for path in Path(home).glob("lossless */*.mkv")}
        print(f"{count} frames of {width}x{height}; same frames: {len(made) == 1}")
        print(f"one worker on one core {one:.1f} s, two on two {two:.1f} s: {one / two:.2f} times as fast")
        print(f"one worker on two cores {spared:.1f} s: {spared / two:.2f} times")
        print(f"{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
