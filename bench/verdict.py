"""Is the verdict steady? Lengths of blur, and what is left, on real and made clips coded and changed in many ways.

    python bench/verdict.py PHOTOS OUT.jsonl CLIP... [--jobs 2]

Made clips: 480x272, 40 frames, five kinds, of which the length of each frame's blur is known. Real clips: their first
30 frames, reduced to 960 pixels. A row for each clip and change; the table is printed at the end.
"""

import argparse
import io
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from clips import held_out, load_photo

from selfhvd.extensions.selection import find_sharp
from selfhvd.synthesis import Handheld, shoot
from selfhvd.video.frame_source import ArrayFrames

CHANGES = (
    "png", "x264-5", "x264-18", "x264-28", "x265-5", "x265-28", "scale-0.5", "scale-0.7", "bright-0.85", "bright-1.15",
    "noise-1", "noise-2",
)  # fmt: skip
MADE = 24
KINDS = ("plain", "object", "night", "all-blurry", "sharp")
BLURRED = 1.5


def coded(frames: list[np.ndarray], codec: str, crf: int) -> list[np.ndarray]:
    buffer = io.BytesIO()
    options = {"crf": str(crf), "preset": "veryfast"} | (
        {"x265-params": "log-level=none"} if codec == "libx265" else {}
    )
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=30, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def changed(frames: list[np.ndarray], change: str) -> tuple[list[np.ndarray], float]:
    """The frames as the change leaves them, and by what lengths grow."""
    how, _, much = change.partition("-")
    if how == "png":
        return frames, 1.0
    if how in ("x264", "x265"):
        return coded(frames, f"lib{how}", int(much)), 1.0
    value = float(much)
    if how == "scale":
        height, width = (int(side * value) // 2 * 2 for side in frames[0].shape[:2])
        frames = [cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA) for f in frames]
        return coded(frames, "libx264", 18), value
    if how == "bright":
        return coded([np.clip(f * value, 0, 255).round().astype(np.uint8) for f in frames], "libx264", 18), 1.0
    rng = np.random.default_rng(1)
    noisy = [np.clip(f + rng.normal(0, value, f.shape), 0, 255).round().astype(np.uint8) for f in frames]
    return coded(noisy, "libx264", 12), 1.0


def made(photos: Path, number: int) -> tuple[str, list[np.ndarray], list[float]]:
    pictures = held_out(photos)
    kind, photo = KINDS[number % len(KINDS)], pictures[(7 * number) % len(pictures)]
    amplitude = (4.0, 8.0, 12.0, 18.0, 9.0)[(number // len(KINDS)) % 5]
    exposures = list(
        shoot(load_photo(photo, 900), Handheld(kind=kind, seed=900 + number, amplitude=amplitude, frames=40))
    )
    return f"{kind} {photo.stem}", [e.frame for e in exposures], [e.blur for e in exposures]


def real(path: Path) -> tuple[str, list[np.ndarray], list[float]]:
    frames: list[np.ndarray] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            image = frame.to_ndarray(format="rgb24")
            scale = min(1.0, 960 / max(image.shape[:2]))
            size = [int(side * scale) // 2 * 2 for side in image.shape[1::-1]]
            frames.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
            if len(frames) == 30:
                break
    return f"real {path.stem}", frames, []


def measure(source: tuple[Path, int] | Path) -> list[dict[str, object]]:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    name, frames, lengths = real(source) if isinstance(source, Path) else made(*source)
    rows: list[dict[str, object]] = []
    for change in CHANGES:
        shown, growth = changed(frames, change)
        found = find_sharp(ArrayFrames(shown), [False] * len(shown))
        left = found.left("auto")
        row: dict[str, object] = {"clip": name, "change": change, "frames": len(shown), "left": sum(left)}
        row |= {"blur": [round(x, 2) for x in found.blur], "verdict": found.verdict}
        if lengths:
            truth = np.array(lengths) * growth
            row["truth"] = truth.round(2).tolist()
            row["right"] = float(((np.array(found.blur) > BLURRED) == (truth > BLURRED)).mean())
            row["wrongly_left"] = int((np.array(left) & (truth > BLURRED)).sum())
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("clips", type=Path, nargs="*")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    sources = [*((options.photos, n) for n in range(MADE)), *options.clips]
    rows: list[dict[str, object]] = []
    with ProcessPoolExecutor(options.jobs) as pool, options.out.open("w") as file:
        for found in pool.map(measure, sources):
            rows += found
            file.writelines(json.dumps(row) + "\n" for row in found)
            file.flush()
            print(found[0]["clip"], *(f"{row['change']} {row['left']}/{row['frames']}" for row in found), flush=True)
    for change in CHANGES:
        here = [row for row in rows if row["change"] == change and "right" in row]
        shares = {k: np.mean([r["right"] for r in here if str(r["clip"]).startswith(k + " ")]) for k in KINDS}
        wrong = sum(int(r["wrongly_left"]) for r in here)
        print(change, *(f"{kind} {share:.3f}" for kind, share in shares.items()), f"wrongly left {wrong}", sep=" | ")


if __name__ == "__main__":
    main()
