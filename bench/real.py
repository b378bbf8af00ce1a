"""How sharp do the blurry frames of a real clip come back, measured by its own sharp frames?

    python bench/real.py CLIP OUT [--preset fast] [--pictures 5,36]

Of each blurry frame: v_l (Eq. 1) after non-local means and a Gaussian of 0.8 pixels, so that noise and coding marks do
not count, where the mask of the nearest sharp frame, aligned onto the result, is above one half; as part of that of the
aligned sharp frame. OUT gets a line a frame, and PNGs of the frames named: before, result, aligned sharp frame.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from clips import as_tensor

from selfhvd.extensions.scenes import joined
from selfhvd.method.align import align
from selfhvd.ops.quantize import to_pixels
from selfhvd.run.config import preset_config
from selfhvd.run.deblurrer import Deblurrer
from selfhvd.video import ingest
from selfhvd.video.frame_source import RecentFrames
from selfhvd.video.png import write_png
from selfhvd.weights.choose_flow import choose_flow


def detail(image: np.ndarray, where: np.ndarray) -> float:
    """Variance of the Laplacian of the denoised picture, over the pixels asked for."""
    calm = cv2.GaussianBlur(cv2.fastNlMeansDenoisingColored(image, None, 3, 3, 5, 15), (0, 0), 0.8)
    return float(cv2.Laplacian(calm, cv2.CV_64F)[where].var())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--pictures", default="")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    frames = RecentFrames(footage := ingest(options.clip, options.out / "frames"))
    deblurrer = Deblurrer(preset_config(options.preset)).fit(footage, footage.keyframes)
    selection, predictor = joined(deblurrer.scenes), choose_flow("dis")
    shown = {int(n) for n in options.pictures.split(",") if n}
    rows: list[dict[str, float]] = []
    for index, restored in enumerate(deblurrer.restore()):
        if selection.is_sharp(index) and index not in shown:
            continue
        result, before = to_pixels(restored), to_pixels(frames.tensor(index))
        nearest = min((j for j in selection.sharp if j != index), key=lambda j: abs(j - index))
        aligned = align(as_tensor(result)[None], frames.tensor(nearest)[None], predictor)
        sharp, where = to_pixels(aligned.image[0]), (aligned.mask[0, 0] > 0.5).numpy()
        if index in shown:
            for name, picture in (("before", before), ("result", result), ("sharp", sharp)):
                write_png(options.out / f"{index:04d}_{name}.png", picture)
        if selection.is_sharp(index) or not where.any():  # nothing to measure against
            continue
        right = detail(sharp, where)
        row = {
            "frame": index,
            "sharp": nearest,
            "seen": round(float(where.mean()), 3),
            "before": round(detail(before, where) / right, 3),
            "result": round(detail(result, where) / right, 3),
        }
        rows.append(row)
        print(row, flush=True)
        with (options.out / "frames.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
    before, after = (np.array([row[name] for row in rows]) for name in ("before", "result"))
    print(
        f"{len(rows)} blurry frames: before {np.median(before):.3f}, result {np.median(after):.3f}, "
        f"{np.mean(after >= 0.8):.0%} at 0.8 or more"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
