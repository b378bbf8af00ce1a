"""The paper's first ablation on synthetic clips: no adaptation, stage 1 only, + SEVD, + SCSCM, both.

    python bench/ablation.py PHOTOS OUT.jsonl [--weights FILE | --from-scratch] [--clips 2] [--steps 450]

Every row trains for the same number of steps; a third of them are stage 1. One line of JSON a row and clip.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import torch
from clips import Clip, as_bytes, film, held_out, mean

from selfhvd.adapt import AdaptConfig, Adapter
from selfhvd.backbones import Lite
from selfhvd.composite import composite
from selfhvd.config import preset_config
from selfhvd.flow import FLOWS
from selfhvd.metrics import drift, psnr
from selfhvd.restore import RestoreConfig, Restorer
from selfhvd.weights import BASE_WEIGHTS, load_weights

ROWS = ("none", "stage 1", "+ SEVD", "+ SCSCM", "both")
PHOTOS_USED = (1, 9, 3, 5, 7, 11)


def configure(row: str, base: AdaptConfig, steps: int) -> AdaptConfig:
    one = steps if row == "stage 1" else steps // 3
    parts = replace(base.loss, enhance=row in ("+ SEVD", "both"), consistency=float(row in ("+ SCSCM", "both")))
    # Nothing is thrown away here: the table shows what each part does, good or bad.
    return replace(
        base,
        stage_one=replace(base.stage_one, steps=one),
        stage_two=replace(base.stage_two, steps=steps - one),
        loss=parts,
        most_drift=float("inf"),
        judge=False,
    )


def measure(clip: Clip, row: str, arguments: argparse.Namespace) -> dict[str, object]:
    torch.manual_seed(0)
    network = Lite().eval() if arguments.from_scratch else load_weights(arguments.weights)
    selection, predictor, start = clip.select(), FLOWS["dis"](), time.monotonic()
    if row != "none":
        base = preset_config("fast", from_scratch=arguments.from_scratch).adapt
        with tempfile.TemporaryDirectory() as folder:
            config = configure(row, base, arguments.steps)
            Adapter(network, clip.source, selection, predictor, Path(folder), config=config).run()
    restorer = Restorer(network, clip.source, selection, predictor, config=RestoreConfig(copy_sharp=False))
    images = list(restorer)
    gains = [psnr(as_bytes(x), t) - psnr(f, t) for x, t, f in zip(images, clip.truth, clip.frames, strict=True)]
    probes = clip.rows(blurry=True)[::4]
    truth = [torch.from_numpy(clip.truth[i]).permute(2, 0, 1).float() / 255 for i in probes]
    return {
        "clip": clip.name,
        "row": row,
        "start": "scratch" if arguments.from_scratch else "base",
        "steps": arguments.steps,
        "blurry_gain": mean(gains[i] for i in clip.rows(blurry=True)),
        "sharp_gain": mean(gains[i] for i in clip.rows(blurry=False)),
        "drift": mean(drift(images[i], t, predictor) for i, t in zip(probes, truth, strict=True)),
        "seconds": round(time.monotonic() - start),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", type=Path, default=BASE_WEIGHTS)
    parser.add_argument("--from-scratch", action="store_true")
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--steps", type=int, default=450)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    photos = held_out(arguments.photos)
    for n in PHOTOS_USED[: arguments.clips]:
        clip = film(photos[n], "plain", seed=100 + n)
        over = [as_bytes(composite(clip.source, clip.select(), i, FLOWS["dis"]())) for i in clip.rows(blurry=True)]
        fused = [psnr(x, clip.truth[i]) for x, i in zip(over, clip.rows(blurry=True), strict=True)]
        print(clip.name, "input", clip.input_psnr(True), "composite", mean(iter(fused)), flush=True)
        for row in ROWS:
            result = measure(clip, row, arguments)
            print(result, flush=True)
            with arguments.out.open("a") as file:
                file.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
