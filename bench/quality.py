"""How good is the default? The whole job, file to file, on held-out synthetic clips with known truth.

    python bench/quality.py PHOTOS OUT.jsonl [--preset fast] [--kind plain] [--clips 5] [--no-composite]

Clips: 480x272, 60 frames, H.264 crf 18, coded once; plain ones with blurry frames at 25.9 to 30 dB: the first held-out
photos on which a shake of at most 30 pixels a frame gives that. PSNR of the restored frames before they are encoded,
and of the written file. Kinds with depth (depth, street, lamps) are cut from three photos each; `edges_`: PSNR within 4
pixels of where one layer ends before another, in blurry frames.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from clips import Clip, as_tensor, film, film_depth, held_out, mean

from selfhvd.flow import FlowPredictor
from selfhvd.method.composite import composite
from selfhvd.metrics import drift, flicker, motion, psnr
from selfhvd.ops.quantize import to_pixels
from selfhvd.run.job import deblur
from selfhvd.synthesis import WORLD_KINDS
from selfhvd.video import ingest
from selfhvd.weights.choose_flow import choose_flow


def suitable(photos: list[Path], kind: str, count: int) -> Iterator[Clip]:
    """Clips whose blurry frames lie in the band."""
    if kind in WORLD_KINDS:
        for n in range(count):
            yield film_depth([photos[(3 * n + k) % len(photos)] for k in range(3)], kind, seed=500 + n)
        return
    found = 0
    for n, photo in enumerate(photos):
        clip = film(photo, kind, seed=500 + n)
        if kind != "plain" or 25.9 <= clip.input_psnr(True) <= 30:
            yield clip
            found += 1
        if found == count:
            return


def measure(clip: Clip, preset: str, fuse: bool = True) -> dict[str, object]:
    predictor = choose_flow("dis", shutter=False)
    restored: list[np.ndarray] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "clip.mp4").write_bytes(clip.file)
        began = time.monotonic()
        facts = deblur(
            folder / "clip.mp4", folder / "out.mp4", preset=preset, on_frame=lambda i, f: restored.append(f.copy())
        )
        seconds = time.monotonic() - began
        written = ingest(folder / "out.mp4", folder / "back")
        encoded = [psnr(written.frame(i), t) for i, t in enumerate(clip.truth)]
        scores = {"input": clip.frames, "result": restored}
        if fuse:
            for name, flow in (("composite", predictor), ("own_composite", choose_flow("dis"))):
                scores[name] = [
                    to_pixels(composite(clip.source, facts.selection.sharp, i, flow)) for i in range(len(clip.frames))
                ]
    columns = {name: [psnr(f, t) for f, t in zip(frames, clip.truth, strict=True)] for name, frames in scores.items()}
    before, after = columns["input"], columns["result"]
    drifts = [drift(as_tensor(restored[i]), as_tensor(clip.truth[i]), predictor) for i in range(0, 60, 3)]
    steadiness = [drift(as_tensor(clip.frames[i]), as_tensor(clip.truth[i]), predictor) for i in range(0, 60, 3)]
    rows = {"blurry": clip.rows(blurry=True), "sharp": clip.rows(blurry=False)}
    result: dict[str, object] = {"clip": clip.name, "kind": clip.kind, "preset": preset, "seconds": round(seconds)}
    for name, row in rows.items():
        for column, values in {**columns, "written": encoded}.items():
            result[f"{name}_{column}"] = round(mean(values[i] for i in row), 2)
    result["worst_blurry"] = round(min((after[i] - before[i] for i in rows["blurry"]), default=0.0), 2)
    if clip.seen is not None:
        for name, frames in (("input", clip.frames), ("result", restored)):
            result[f"edges_{name}"] = edges_psnr(clip, frames, rows["blurry"])
    result["flicker"] = flicker_ratio(restored, clip.truth, predictor)
    result["input_flicker"] = flicker_ratio(clip.frames, clip.truth, predictor)
    result["drift"] = round(float(np.median(drifts)), 3)
    result["input_drift"] = round(float(np.median(steadiness)), 3)
    result["adapted"] = facts.adaptation is not None and facts.adaptation.kept
    return result


def edges_psnr(clip: Clip, frames: list[np.ndarray], rows: list[int]) -> float:
    """PSNR in bands of 8 pixels along the borders of layers, dB, mean of `rows`."""
    assert clip.seen is not None
    found: list[float] = []
    for i in rows:
        border = cv2.morphologyEx(clip.seen[i], cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
        band = cv2.dilate(border.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        if band.any():
            found.append(psnr(frames[i][band][:, None], clip.truth[i][band][:, None]))
    return round(mean(iter(found)), 2)


def flicker_ratio(frames: list[np.ndarray], truth: list[np.ndarray], predictor: FlowPredictor) -> float:
    """Flicker over the truth's, on every third pair of frames."""
    ours, right = 0.0, 0.0
    for i in range(1, len(truth), 3):
        seen = motion(as_tensor(truth[i]), as_tensor(truth[i - 1]), predictor)
        ours += flicker(as_tensor(frames[i]), as_tensor(frames[i - 1]), seen)
        right += flicker(as_tensor(truth[i]), as_tensor(truth[i - 1]), seen)
    return round(ours / right, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--kind", default="plain")
    parser.add_argument("--clips", type=int, default=5)
    parser.add_argument("--no-composite", action="store_true", help="which hangs on the clip and the flow alone")
    options = parser.parse_args()
    torch.manual_seed(0)
    for clip in suitable(held_out(options.photos), options.kind, options.clips):
        result = measure(clip, options.preset, not options.no_composite)
        print(result, flush=True)
        with options.out.open("a") as file:
            file.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
