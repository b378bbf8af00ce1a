"""Training material for base weights: handheld clips of still photos, coded as a phone would, with exact truth.

    python bench/corpus.py PHOTOS FOLDER --part train --worker 0 --workers 2

Each worker fills a material folder of its own; every fifth photo (by name) is kept for validation (`--part val`).
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import torch
from clips import as_tensor, coded, for_training, held_out, load_photo

from selfhvd.backbones import Backbone
from selfhvd.flow import FLOWS
from selfhvd.frames import ArrayFrames
from selfhvd.method.align import align_guides
from selfhvd.method.sharp import select_sharp
from selfhvd.ops.sharpness import laplacian_variance
from selfhvd.synthesis import Handheld, shoot
from selfhvd.training.material import Caption, Material, Record, to_bytes
from selfhvd.weights import BASE_WEIGHTS, load_weights

HEIGHT, WIDTH, FRAMES = 216, 384, 30
TAKEN = 10
"""Frames kept of each clip."""
KINDS = {"plain": 0.40, "object": 0.25, "night": 0.22, "all-blurry": 0.08, "sharp": 0.05}
SECOND_ROUND = 0.6
"""Share of the frames whose guides are aligned onto the current base weights' output, not onto the frame itself."""
ROUNDS = {"train": 5, "val": 2}
"""Clips a photo."""


def draw_shot(rng: np.random.Generator) -> Handheld:
    return Handheld(
        kind=str(rng.choice(list(KINDS), p=list(KINDS.values()))),
        frames=FRAMES,
        width=WIDTH,
        height=HEIGHT,
        amplitude=float(np.exp(rng.uniform(np.log(6), np.log(32)))),
        sharp_share=float(rng.uniform(0.2, 0.45)),
        seed=int(rng.integers(1 << 30)),
    )


def draw_picture(rng: np.random.Generator, photo: Path) -> np.ndarray:
    """The photo at a random size, never smaller than the view needs."""
    picture = load_photo(photo, int(rng.uniform(600, 1100)))
    grow = max(1.0, 1.15 * HEIGHT / picture.shape[0], 1.15 * WIDTH / picture.shape[1])
    return picture if grow == 1 else cv2.resize(picture, None, fx=grow, fy=grow, interpolation=cv2.INTER_AREA)


def record_of(
    clip: ArrayFrames, index: int, guides: tuple[int, ...], truth: np.ndarray, network: Backbone | None
) -> tuple[Record, Caption]:
    """`network`: who makes the output that the guides are aligned onto, as in the second round of restoring."""
    frame = clip.tensor(index)
    aligned = align_guides(frame, clip, guides, FLOWS["dis"]())
    if network is not None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            output = network(frame[None, None], aligned.images[None, None], aligned.trust[None, None])[0, 0]
        aligned = align_guides(output.clamp(0, 1), clip, guides, FLOWS["dis"]())
    images = to_bytes(aligned.images.permute(0, 2, 3, 1).numpy())
    record = Record(to_bytes(frame.permute(1, 2, 0).numpy()), images, to_bytes(aligned.trust[:, 0].numpy()), truth)
    return record, Caption(index, False, guides, aligned.visible)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", choices=("train", "val"), default="train")
    parser.add_argument("--worker", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    photos = for_training(options.photos) if options.part == "train" else held_out(options.photos)
    jobs = [p for _ in range(ROUNDS[options.part]) for p in photos][options.worker :: options.workers]
    rng = np.random.default_rng(options.seed + options.worker)
    network = load_weights(BASE_WEIGHTS).to(memory_format=torch.channels_last)
    blank = Caption(0, False, (-1, -1), (0.0, 0.0))
    folder = options.folder / f"{options.part}{options.worker}"
    material = Material.create(folder, (blank,) * (len(jobs) * TAKEN), HEIGHT, WIDTH)
    notes: list[dict[str, object]] = []
    for photo in jobs:
        shot = draw_shot(rng)
        exposures = list(shoot(draw_picture(rng, photo), shot))
        frames, keys = coded([e.frame for e in exposures], crf=int(rng.integers(10, 27)))
        sharpness = [float(laplacian_variance(as_tensor(f)[None])) for f in frames]
        selection = select_sharp(sharpness, keys, [0.6 if shot.kind == "all-blurry" else 0.3])
        # Frames that need no help are drawn a third as often.
        need = np.array([0.35 if selection.is_sharp(i) or e.count == 1 else 1.0 for i, e in enumerate(exposures)])
        for i in rng.choice(FRAMES, TAKEN, replace=False, p=need / need.sum()).tolist():
            guides, aligner = selection.around(i, 1), network if rng.random() < SECOND_ROUND else None
            record, caption = record_of(ArrayFrames(frames), i, guides, exposures[i].truth, aligner)
            material.put(len(notes), record)
            facts = {"kind": shot.kind, "count": exposures[i].count, "photo": photo.name, "second": aligner is not None}
            notes.append({**asdict(caption), **facts})
        (folder / "captions.json").write_text(json.dumps(notes))
        print(f"{len(notes)} of {len(material)}", flush=True)


if __name__ == "__main__":
    main()
