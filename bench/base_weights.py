"""Teach the shipped base weights on, and average: what made the last step of `lite` (see src/selfhvd/data/lite.md).

    python bench/base_weights.py film PHOTOS FOLDER --clips 380 [--share 0/2]    as many processes as shares
    python bench/base_weights.py teach FOLDER OUT.safetensors [--steps 20000] [--rate 4e-4]
    python bench/base_weights.py average ONE.safetensors OTHER.safetensors OUT.safetensors

Other than in `selfhvd train recipes/base-lite.toml` there are as many sharp and hardly blurred frames as heavily
blurred ones, guides restored first in some clips, second best guides more often, and exchanged colours.
"""

import argparse
import tempfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from clips import for_training

from selfhvd.flow_choice import choose_flow
from selfhvd.frames import ArrayFrames, Frames, RecentFrames
from selfhvd.method.align import align_guides
from selfhvd.method.sharp import Selection, find_sharp
from selfhvd.restore import RestoreConfig, Restorer
from selfhvd.synthesis import Handheld, shoot
from selfhvd.synthesis.handheld_clips import load_photo
from selfhvd.training.batches import Batch, BatchConfig, Sampler
from selfhvd.training.loop import LoopConfig, Step, train
from selfhvd.training.material import Caption, Material, Record, to_bytes
from selfhvd.training.stages import learn_truth
from selfhvd.video import encode_clip, ingest
from selfhvd.weights import BASE_WEIGHTS, load_weights, save_weights

SIZE, LENGTH = (384, 216), 30
KINDS = {"plain": 0.29, "object": 0.21, "night": 0.29, "all-blurry": 0.14, "sharp": 0.07}
TAKEN = {"sharp": (3, 0, 0), "all-blurry": (0, 4, 5)}
"""Frames of one, up to five and more sub-frames that are learned from, where not (4, 3, 5)."""


def film(
    photo: Path, rng: np.random.Generator
) -> tuple[str, list[np.ndarray], list[bool], list[np.ndarray], list[int]]:
    """Kind, frames as coded, key frames, truth and lengths of exposure of one clip."""
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    speed = 0.8 * float(np.exp(rng.uniform(np.log(5), np.log(32))))
    shares, seed = float(rng.uniform(0.28, 0.40)), int(rng.integers(1 << 30))
    shot = Handheld(kind, LENGTH, *SIZE, amplitude=speed, sharp_share=shares, seed=seed)  # pyright: ignore
    exposures = list(shoot(load_photo(photo, rng.uniform(1.25, 2.3) * SIZE[0], *SIZE), shot))
    frames, keys = [e.frame for e in exposures], [False] * LENGTH
    crf, effort = int(rng.integers(8, 27)), str(rng.choice(["ultrafast", "veryfast", "veryfast", "medium"]))
    if rng.random() > 1 / 7:
        with tempfile.TemporaryDirectory() as name:
            encode_clip(iter(frames), Path(name) / "clip.mp4", crf=crf, preset=effort)
            footage = ingest(Path(name) / "clip.mp4", Path(name) / "frames")
            frames, keys = [footage.frame(i) for i in range(LENGTH)], list(footage.keyframes)
    return kind, frames, keys, [e.truth for e in exposures], [e.count for e in exposures]


def taught(kind: str, counts: list[int], rng: np.random.Generator) -> list[int]:
    """Which frames are learned from."""
    groups = ([1], [3, 5], [7, 9, 11, 13, 15])
    numbers: list[int] = []
    for group, most in zip(groups, TAKEN.get(kind, (4, 3, 5)), strict=True):
        numbers += rng.permutation([i for i, n in enumerate(counts) if n in group])[:most].tolist()
    return sorted(int(i) for i in numbers)


def guiding(frames: Frames, selection: Selection) -> Frames:
    """The sharp frames of a clip as `deblur` shows them: restored first."""
    config = RestoreConfig(each_side=1, restored_guides=True)
    restorer = Restorer(load_weights(BASE_WEIGHTS).eval(), frames, selection, choose_flow("dis"), config=config)

    class Restored:
        def __len__(self) -> int:
            return len(frames)

        def tensor(self, index: int) -> torch.Tensor:
            return restorer.guiding(index)

    return RecentFrames(Restored(), LENGTH)


def make(photo: Path, folder: Path, number: int) -> None:
    """One clip's material."""
    rng = np.random.default_rng([77, number])
    kind, frames, keys, truth, counts = film(photo, rng)
    source = RecentFrames(ArrayFrames(frames), LENGTH)
    selection = find_sharp(source, keys)
    guides = guiding(source, selection) if not selection.noisy and rng.random() < 0.4 else source
    numbers = taught(kind, counts, rng)
    material = Material.create(folder, len(numbers), 4, SIZE[1], SIZE[0])
    captions: list[Caption] = []
    for slot, i in enumerate(numbers):
        around = selection.around(i, 2)
        with torch.inference_mode():
            aligned = align_guides(source.tensor(i), guides, around, choose_flow("dis"))
        images = np.stack([to_bytes(image.permute(1, 2, 0).numpy()) for image in aligned.images])
        material.put(slot, Record(frames[i], images, to_bytes(aligned.trust[:, 0].numpy()), truth[i]))
        captions.append(Caption(i, selection.is_sharp(i), around, aligned.visible))
    material.finish(captions)


def teach(folder: Path, out: Path, steps: int, rate: float) -> None:
    materials = [Material.open(path.parent) for path in sorted(folder.glob("*/captions.json"))]
    config = BatchConfig(crop=128, size=8, window=1, guides=2, guide_dropout=0.3)
    sampler = Sampler([m for m in materials if len(m)], "truth", config, seed=3)
    network = load_weights(BASE_WEIGHTS, "lite").to(memory_format=torch.channels_last)  # pyright: ignore

    def draw(step: int) -> Batch:
        """Half of the windows with their colours exchanged, half with the guides of both sides."""
        drawn, rng = sampler.draw(step), np.random.default_rng([9, step])
        parts = {f.name: getattr(drawn, f.name).clone() for f in fields(Batch)}
        for n in range(config.size):
            if rng.random() < 0.5:
                order = torch.from_numpy(rng.permutation(3))
                for name in ("frames", "guides", "target"):
                    parts[name][n] = parts[name][n].index_select(-3, order)
            if rng.random() < 0.5:
                for name in ("guides", "trust"):
                    parts[name][n] = parts[name][n].flip(1)
        return Batch(**parts)

    def told(step: Step) -> bool:
        if step.number % 100 == 0:
            print(step.number, round(step.loss, 5), flush=True)
        return True

    train(network, draw, learn_truth, LoopConfig(steps=steps, rate=rate, last_rate=1e-6, bfloat16=True), told)
    save_weights(out, network, "lite", {"steps": str(steps)})


def average(one: Path, other: Path, out: Path) -> None:
    network, second = load_weights(one, "lite"), load_weights(other, "lite").state_dict()
    network.load_state_dict({name: (value + second[name]) / 2 for name, value in network.state_dict().items()})
    save_weights(out, network, "lite", {"average": f"{one.name}, {other.name}"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("film", "teach", "average"))
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--clips", type=int, default=380)
    parser.add_argument("--share", default="0/1", help="this process and how many there are")
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--rate", type=float, default=4e-4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.what == "film":
        photos, folder = for_training(options.paths[0]), options.paths[1]
        order = np.random.default_rng(77).permutation(len(photos))
        share, count = map(int, options.share.split("/"))
        for number in range(share, options.clips, count):
            if not Material.complete(folder / f"{number:04d}"):
                make(photos[order[number % len(photos)]], folder / f"{number:04d}", number)
                print(number, flush=True)
    elif options.what == "teach":
        teach(*options.paths, options.steps, options.rate)
    else:
        average(*options.paths)


if __name__ == "__main__":
    main()
