"""Train base weights for `lite` with truth as the label, by the product's own loop, on what corpus.py made.

python bench/base.py FOLDER OUT.safetensors --steps 12000 --rate 1e-3 [--start FILE]
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from clips import as_bytes

from selfhvd.backbones import Backbone, Lite
from selfhvd.metrics import psnr
from selfhvd.training.batches import Batch, BatchConfig, Sampler
from selfhvd.training.loop import LoopConfig, train
from selfhvd.training.material import Caption, Material
from selfhvd.training.stages import learn_truth
from selfhvd.weights import load_weights, save_weights

EVERY = 1000
"""Steps between two evaluations."""


def open_material(folder: Path) -> tuple[Material, list[dict[str, object]]]:
    notes = json.loads((folder / "captions.json").read_text())
    captions = tuple(Caption(n["index"], False, tuple(n["guides"]), tuple(n["visible"])) for n in notes)
    return Material(folder, captions), notes


@torch.inference_mode()
def evaluate(network: Backbone, material: Material, notes: list[dict[str, object]]) -> dict[str, float]:
    """Mean gain in dB by kind, blurry and sharp frames apart, on every second record."""
    gains: dict[str, list[float]] = {}
    height, width = material.size
    for slot in range(0, len(material), 2):
        record = material.crop(slot, 0, 0, height, width)
        frame, guides, trust = (
            torch.from_numpy(a).float()[None, None] / 255 for a in (record.frame, record.guides, record.trust)
        )
        with torch.autocast("cpu", torch.bfloat16):
            output = network(frame.movedim(-1, -3), guides.movedim(-1, -3), trust[:, :, :, None])[0, 0]
        key = f"{notes[slot]['kind']}/{'sharp' if notes[slot]['count'] == 1 else 'blurry'}"
        gain = psnr(as_bytes(output), record.truth) - psnr(record.frame, record.truth)
        gains.setdefault(key, []).append(gain)
    return {key: round(float(np.mean(values)), 2) for key, values in sorted(gains.items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    batch = BatchConfig(crop=128, size=8, window=1)
    parts = [open_material(folder)[0] for folder in sorted(options.folder.glob("train*"))]
    samplers = [Sampler(part, "truth", batch, seed=n) for n, part in enumerate(parts)]
    val = [open_material(folder) for folder in sorted(options.folder.glob("val*"))]
    network = load_weights(options.start) if options.start else Lite()
    network = network.to(memory_format=torch.channels_last)
    began, drawn = time.monotonic(), 0

    def draw() -> Batch:
        nonlocal drawn
        drawn += 1
        return samplers[drawn % len(samplers)].draw()

    def after_step(step: int, loss: float) -> bool:
        if step % EVERY == 0 or step == options.steps:
            save_weights(options.out, network, "lite", {"steps": str(step)})
            network.eval()
            scores = [evaluate(network, *part) for part in val]
            network.train()
            print(f"step {step}, {time.monotonic() - began:.0f} s, loss {loss:.5f}, gains {scores}", flush=True)
        return True

    loop = LoopConfig(steps=options.steps, rate=options.rate, last_rate=1e-6, bfloat16=True)
    train(network, draw, learn_truth, loop, after_step)


if __name__ == "__main__":
    main()
