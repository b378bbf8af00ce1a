"""Seconds and size of frame files (`selfhvd.video.frame_file`) and of PNG, on frames of clips.

    OMP_NUM_THREADS=1 taskset -c 1 python bench/frame_files.py CLIP.mp4 ... [--frames 3]

Frames evenly spread over each clip, and those of the first clip with noise of 8 levels more. Each file is written, read
and checked in fifteen rounds; the shortest time of each counts, of this thread alone (so that other load on the machine
counts little). The disk is /dev/shm where there is one. Prints a table: milliseconds a megapixel, how many times faster
than PNG, size over PNG's, bytes a pixel.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from selfhvd.video import Frame, ingest
from selfhvd.video.frame_file import is_whole_frame, read_frame, write_frame
from selfhvd.video.png import read_png, write_png

SHM = Path("/dev/shm")
ROUNDS = 15


def seconds(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def measured(image: Frame, folder: Path) -> np.ndarray:
    """Seconds of PNG's writing and reading, of a frame file's writing, reading and checking; both sizes."""
    png, own = folder / "a.png", folder / "a.frame"
    steps = [lambda: write_png(png, image), lambda: read_png(png), lambda: write_frame(own, image)]
    steps += [lambda: read_frame(own), lambda: is_whole_frame(own)]
    rounds = [[seconds(step) for step in steps] for _ in range(ROUNDS)]
    for found in (read_png(png), read_frame(own)):
        assert found is not None and np.array_equal(found, image)
    return np.array([*np.min(rounds, axis=0), png.stat().st_size, own.stat().st_size])


def row(name: str, frames: list[Frame], folder: Path) -> str:
    height, width, _ = frames[0].shape
    pixels = height * width
    png_write, png_read, write, read, check, png_size, size = np.mean([measured(f, folder) for f in frames], axis=0)
    each = [1e9 / pixels * number for number in (png_write, png_read, write, read, check)]
    return (
        f"| {name}, {width}x{height}, {8 * frames[0].itemsize} bits | {each[0]:.0f}, {each[1]:.0f} "
        f"| {each[2]:.1f} ({png_write / write:.1f}) | {each[3]:.1f} ({png_read / read:.1f}) | {each[4]:.1f} "
        f"| {size / png_size:.2f} | {size / pixels:.2f} |"
    )


def noisy(frame: Frame) -> Frame:
    noise = np.random.default_rng(0).normal(0, 8 * (257 if frame.dtype == np.uint16 else 1), frame.shape)
    return np.clip(np.rint(frame + noise), 0, np.iinfo(frame.dtype).max).astype(frame.dtype)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=3)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print("| frames | PNG: write, read | write (times faster) | read (times faster) | check | size / PNG | bytes |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as room:
        folder = Path(room)
        for number, clip in enumerate(options.clips):
            with tempfile.TemporaryDirectory() as laid_out:
                footage = ingest(clip, Path(laid_out) / "footage")
                places = np.linspace(0, len(footage) - 1, min(options.frames, len(footage))).astype(int).tolist()
                frames = [footage.frame(place) for place in places]
            print(row(clip.stem, frames, folder), flush=True)
            if number == 0:
                print(row(f"{clip.stem} with noise", [noisy(frame) for frame in frames], folder), flush=True)


if __name__ == "__main__":
    main()
