"""Tiny datasets to train on, and recipes under which a run takes seconds."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import torch
from safetensors.torch import load_file
from tomli_w import dumps

from clips_for_tests import views
from selfhvd.training.recipe import Recipe, typed

SIZE = {"width": 64, "height": 48}


def pairs(root: Path, names: Sequence[str] = ("a", "b"), truth: Sequence[str] | None = None, count: int = 12) -> Path:
    """Clips in the layout `pairs`, or `frames` where none has a truth."""
    truth = names if truth is None else truth
    for number, name in enumerate(names):
        sharp = [0, 4 + number % 2, 9]
        clip = root / "blur" / name if truth else root / name
        draw(clip, views(count, **SIZE, sharp=sharp))
        if name in truth:
            draw(root / "sharp" / name, views(count, **SIZE, sharp=lambda index: True))
    return root


def draw(folder: Path, frames) -> Path:
    folder.mkdir(parents=True)
    for index, image in enumerate(frames):
        cv2.imwrite(str(folder / f"{index:03d}.png"), image[..., ::-1])
    return folder


def tables(folder: Path, steps: int = 4, **tops) -> dict:
    """A recipe for seconds."""
    stage = {"steps": steps, "rate": 1e-3}
    return {
        "device": "cpu",
        "save_every": 2,
        "tell_every": 1,
        "data": {"folder": str(folder)},
        "network": {"settings": {"widths": [8, 8, 8], "blocks": [1, 1, 1]}},
        "flow": {"name": "dis"},
        "method": {
            "stage_one": stage,
            "stage_two": stage,
            "frames": 4,
            "probes": 2,
            "checks": 1,
            "batch": {"crop": 32, "size": 2},
            "loss": {"perceptual": 0.0},
        },
        **tops,
    }


def quick(folder: Path, steps: int = 4, **tops) -> Recipe:
    return typed(tables(folder, steps, **tops))


def weights(path: Path) -> torch.Tensor:
    """All numbers of a weights file in a row."""
    tensors = load_file(path)
    return torch.cat([tensors[name].flatten().double() for name in sorted(tensors)])


def journal(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]


def losses(run: Path) -> dict[tuple[str, int], float]:
    """Of each step of each stage; what was done again counts the last time."""
    return {(line["stage"], line["step"]): line["loss"] for line in journal(run) if line["event"] == "step"}


def stopping(after: int, stage: str = "stage 2"):
    """`on_progress` and `stop` of one who stops after so many steps of a stage."""
    asked = []

    def on_progress(name, done, total):
        if name.startswith(stage) and done == after:
            asked.append(1)

    return {"on_progress": on_progress, "stop": lambda: bool(asked)}


def command(run, folder, table, *words):
    recipe = folder / "given.toml"
    recipe.write_text(dumps(table))
    return run("train", recipe, "--out", folder / "run", *words)


def spoil(path):
    path.write_bytes(path.read_bytes()[:200])
