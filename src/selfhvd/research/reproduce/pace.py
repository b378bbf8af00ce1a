"""How long a step takes here: one forward and backward pass of a few frames, scaled to the window."""

import time
from dataclasses import replace

import torch

from selfhvd.method.batch import Batch
from selfhvd.method.stages import learn_truth
from selfhvd.research.baselines.pairs import Pair, as_batch
from selfhvd.system.device import pick_device, settle
from selfhvd.training.job import first_network
from selfhvd.training.recipe import Recipe

_FEW = 4
"""Frames that are timed: all of BasicVSR++'s thirty need more memory and patience than a plan is worth."""
_SECOND = 5 / 3
"""A step of stage two, in steps of stage one: two more passes forward, each a third of forward and backward."""
HOW = (
    f"measured: one step (forward and backward) of {_FEW} frames of the recipe's crop on this machine, after another "
    "that is not counted, scaled to its window and batch; stage two as 5/3 of it; aligning, restoring and measuring "
    "come on top"
)


def step_seconds(recipe: Recipe) -> float:
    """Of stage one."""
    batch = recipe.method.batch
    device = pick_device(recipe.device)
    network = settle(first_network(_untrained(recipe)), device)
    window = 1 if network.needs.window == 1 else batch.window
    few = min(window, _FEW)
    shown = _batch(few, batch.crop, network.needs.guides).to(device)
    seconds = 0.0
    for _ in range(2):
        started = time.monotonic()
        learn_truth(network, shown).backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds = time.monotonic() - started
    return seconds * window / few * batch.size


def training_seconds(recipe: Recipe, step: float) -> float:
    """Of both stages."""
    method = recipe.method
    second = 1 if method.teach == "truth" else _SECOND
    return step * (method.stage_one.steps + second * method.stage_two.steps)


def _untrained(recipe: Recipe) -> Recipe:
    """No weights are needed to know how long a network takes."""
    settings = recipe.network.settings if recipe.network.weights == "scratch" else {}
    return replace(recipe, network=replace(recipe.network, weights="scratch", flow_weights=None, settings=settings))


def _batch(frames: int, crop: int, guides: int) -> Batch:
    image = torch.rand(frames, 3, crop, crop)
    beside = image[:, None].repeat(1, guides, 1, 1, 1)
    return as_batch([Pair(image, beside, torch.ones_like(beside[:, :, :1]), image, torch.ones(frames))])


def each_side(recipe: Recipe) -> int:
    """Sharp frames that are aligned from each side of a training frame."""
    if recipe.network.backbone == "lite":  # the one that takes guides
        return recipe.method.candidates
    return 0 if recipe.method.teach == "truth" else 1
