"""How good is the default on real footage with depth, people and truth? Whole jobs, file to file.

    python bench/depth.py CLIPS OUT [--kinds walk,street,pan] [--pictures]

CLIPS holds `gopro_walk.mp4`, `street_h265.mp4` and `pixel_hlg10_pan.mp4`. Each is blurred by itself: every frame is
the mean, in linear light, of frames around it and of those interpolated between them, over a stretch that differs from
frame to frame; the one in the middle is the truth. The result is H.264 of crf 18, coded once. Of the blurry frames:
PSNR, sharpness (v_l after a Gaussian) as part of the truth's, and by blocks of 32 pixels how much nearer to the truth,
in dB, the worst are than the input; parts are told by the truth's own motion to the nearest sharp frame, camera apart.

`samsung`, `selfie` and `night` are clips that were shaken: some of their sharp frames are taken away, each blurred
along the path that a blurry frame near it was blurred along, restored without it, and compared with it.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from clips import as_tensor, coded

from selfhvd.extensions.selection import find_sharp
from selfhvd.flow.camera.predictor import homography_flow
from selfhvd.metrics import psnr
from selfhvd.ops.light import GAMMA
from selfhvd.ops.quantize import to_pixels
from selfhvd.run.job import deblur
from selfhvd.synthesis.in_between import in_between
from selfhvd.video import ingest
from selfhvd.video.frame_source import ArrayFrames
from selfhvd.video.png import write_png
from selfhvd.weights.choose_flow import choose_flow

BLOCK = 32
FAR = 1.0
"""Pixels that something moves otherwise than the camera's homography from which on it counts as near, or as moving."""


@dataclass(frozen=True)
class Kind:
    """How a clip is blurred."""

    file: str
    longest: int
    """Pixels of the longer side that it is reduced to, at most."""
    apart: int
    """Frames of the source from one frame of the clip to the next."""
    most: int
    """Frames of the source that one exposure covers at most."""
    between: int
    """Steps from one frame of the source to the next."""
    frames: int = 28


KINDS = {
    "walk": Kind("gopro_walk.mp4", 848, 11, 11, 3),
    "street": Kind("street_h265.mp4", 920, 5, 9, 4),
    "pan": Kind("pixel_hlg10_pan.mp4", 960, 3, 5, 6),
}


def filmed(clips: Path, kind: Kind, seed: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Frame, truth and how many frames of the source were averaged; 1 is a sharp one."""
    chosen, flow = np.random.default_rng(seed), choose_flow("dis", shutter=False)
    with tempfile.TemporaryDirectory() as folder:
        footage = ingest(clips / kind.file, Path(folder))
        for n in range(kind.frames):
            middle, reach = kind.apart * n + kind.most // 2, 0
            if n % 4:  # every fourth is sharp; of the others some hardly, some much blurred
                reach = int(chosen.integers(1, kind.most // 2 + 1))
            if middle + kind.most // 2 >= len(footage):
                return
            images = [reduced(footage.tensor(middle + k), kind.longest) for k in range(-reach, reach + 1)]
            light = [images[0] ** GAMMA]
            for one, other in pairwise(images):
                light += [*in_between(one, other, kind.between, flow), other**GAMMA]
            seen = torch.cat(light).mean(dim=0) ** (1 / GAMMA)
            yield to_pixels(seen), to_pixels(images[reach][0]), 2 * reach + 1


TAKEN = {
    "samsung": "samsung_motion_photo.mp4",
    "selfie": "pixel_selfie_motion_photo.mp4",
    "night": "hvd_008.mp4",
}
LONGEST, FRAMES, LEAST_BLUR = 960, 40, 2.0
"""Pixels, frames; pixels of a path that is worth blurring along."""


def taken_away(clips: Path, file: str) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Frame, truth and 2; of sharp frames that stay 1, and of frames of which no truth is known 0."""
    flow = choose_flow("dis")
    with tempfile.TemporaryDirectory() as folder:
        footage = ingest(clips / file, Path(folder))
        images = [reduced(footage.tensor(i), LONGEST) for i in range(min(FRAMES, len(footage)))]
    frames = [to_pixels(image[0]) for image in images]
    sharp = find_sharp(ArrayFrames(frames), [False] * len(frames)).sharp
    for i, frame in enumerate(frames):
        path = None
        if i in sharp[1::2] and sharp.index(i) + 1 < len(sharp):
            blurry = sorted(set(range(len(frames))) - set(sharp), key=lambda j, i=i: abs(j - i))[:6]
            found = (flow.camera(images[j], images[i]) for j in blurry)
            path = next((p for p in found if p is not None and p.blur_extent > LEAST_BLUR), None)
        if path is None:
            yield frame, frame, int(i in sharp)
        else:
            yield to_pixels(path.blurred(images[i])[0]), frame, 2


def reduced(image: torch.Tensor, longest: int) -> torch.Tensor:
    part = min(1.0, longest / max(image.shape[-2:]))
    size = [2 * round(part * side / 2) for side in image.shape[-2:]]
    return torch.nn.functional.interpolate(image[None], size=size, mode="bilinear", antialias=True).clamp(0, 1)


def sharpness(image: np.ndarray) -> float:
    return float(cv2.Laplacian(cv2.GaussianBlur(image, (0, 0), 0.8), cv2.CV_64F).var())


def blocks(image: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean square error of each whole block of 32 pixels."""
    height, width = (side // BLOCK * BLOCK for side in truth.shape[:2])
    apart = ((image.astype(float) - truth) ** 2).mean(axis=2)[:height, :width]
    return apart.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).mean(axis=(1, 3))


def moved(truth: np.ndarray, sharp: np.ndarray) -> np.ndarray:
    """Pixels that each block moves otherwise than a homography says."""
    flow = choose_flow("dis", shutter=False)
    a, b = as_tensor(truth)[None], as_tensor(sharp)[None]
    camera = flow.camera(a, b)
    if camera is None:
        return np.zeros([side // BLOCK for side in truth.shape[:2]])
    away = torch.hypot(*(flow.free.both(a, b)[0].field - homography_flow(camera.middle, a))[0])
    small = torch.nn.functional.avg_pool2d(away[None, None], BLOCK)[0, 0]
    return small.numpy()[: truth.shape[0] // BLOCK, : truth.shape[1] // BLOCK]


def decibel(errors: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, float(errors.mean())))) if errors.size else float("nan")


def measure(name: str, clips: Path, out: Path, pictures: bool) -> dict[str, object]:
    rows = list(filmed(clips, KINDS[name]) if name in KINDS else taken_away(clips, TAKEN[name]))
    frames, truths, counts = zip(*rows, strict=True)
    if not any(count > 1 for count in counts):
        return {"kind": name, "taken_away": 0}  # of no blurry frame the path is known
    restored: list[np.ndarray] = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "clip.mp4"
        source.write_bytes(coded(list(frames), 18))
        taken = ingest(source, Path(folder) / "frames")
        given = [taken.frame(i) for i in range(len(taken))]
        deblur(source, Path(folder) / "out.mp4", on_frame=lambda i, f: restored.append(f.copy()))
    blurry = [i for i, n in enumerate(counts) if n > 1]
    sharp = [i for i, n in enumerate(counts) if n == 1]
    gains, parts = list[np.ndarray](), list[np.ndarray]()
    errors: list[tuple[np.ndarray, np.ndarray]] = []
    for i in blurry:
        before, after = blocks(given[i], truths[i]), blocks(restored[i], truths[i])
        errors.append((before, after))
        gains.append(10 * np.log10((before + 1) / (after + 1)))  # a grey level: what cannot be seen
        nearest = min(sharp, key=lambda j: abs(j - i))
        parts.append(moved(truths[i], truths[nearest]))
    gain, away = np.concatenate([g.ravel() for g in gains]), np.concatenate([p.ravel() for p in parts])
    before, after = (np.concatenate([e[n].ravel() for e in errors]) for n in (0, 1))
    if pictures:
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(len(truths)):
            write_png(folder / f"{i:02d}_c{counts[i]}.png", np.hstack([given[i], restored[i], truths[i]]))
    inputs, outputs = ([psnr(images[i], truths[i]) for i in blurry] for images in (given, restored))
    return {
        "kind": name,
        "input": float(np.mean(inputs)),
        "result": float(np.mean(outputs)),
        "worst_frame": float(np.min(np.subtract(outputs, inputs))),
        "sharp_gain": float(np.mean([psnr(restored[i], truths[i]) - psnr(given[i], truths[i]) for i in sharp])),
        "worst_block_1%": float(np.quantile(gain, 0.01)),
        "worst_block_5%": float(np.quantile(gain, 0.05)),
        "worse_by_1dB": float((gain < -1).mean()),
        "far": [decibel(before[away < FAR]), decibel(after[away < FAR]), float((away < FAR).mean())],
        "near_or_moving": [decibel(before[away >= FAR]), decibel(after[away >= FAR])],
        "sharpness": [
            float(np.median([sharpness(images[i]) / sharpness(truths[i]) for i in blurry]))
            for images in (given, restored)
        ],
    }


def main() -> None:
    """A line for each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"also {', '.join(TAKEN)}")
    parser.add_argument("--pictures", action="store_true")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for name in asked.kinds.split(","):
        row = measure(name, asked.clips, asked.out, asked.pictures)
        with (asked.out / "rows.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps({k: np.round(v, 3).tolist() if k != "kind" else v for k, v in row.items()}), flush=True)


if __name__ == "__main__":
    main()
