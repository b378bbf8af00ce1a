"""Ren et al. and DaDeblur over a dataset: each clip trains a network of its own and is restored with it."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from selfhvd.backbones import Backbone
from selfhvd.errors import InputError, Stopped
from selfhvd.flow import FlowPredictor
from selfhvd.method.batch import Batch
from selfhvd.method.perceptual import vgg_path
from selfhvd.method.stages import learn_truth
from selfhvd.research.baselines import (
    DaDeblurConfig,
    FeatureLoss,
    Hypercolumn,
    Pairs,
    RandomBlur,
    ReblurredRegions,
    RenConfig,
    prepare,
)
from selfhvd.research.reproduce.jobs import Job
from selfhvd.restore.restorer import Restorer
from selfhvd.system.device import pick_device, settle
from selfhvd.system.progress import Progress, stoppable
from selfhvd.training.clip import TrainingClip
from selfhvd.training.dataset_clips import find_clips, read_clips
from selfhvd.training.distributed import Processes
from selfhvd.training.job import first_network
from selfhvd.training.loop import Step, train
from selfhvd.training.restored import write_restored
from selfhvd.weights.choose_flow import choose_flow

Loss = Callable[[nn.Module, Batch], Tensor]


def train_alone(
    job: Job, *, on_progress: Progress, on_fault: Callable[[InputError], None], stop: Callable[[], bool]
) -> None:
    """Leave job.folder/restored/CLIP of every clip; finished ones are passed over, one cut off begins anew.

    Raises:
        Stopped: `stop` said so.
        InputError, WeightsError, DeviceError: see `selfhvd.training.job.train`.
    """
    recipe = job.recipe
    processes = Processes(pick_device(recipe.device))
    told = stoppable(on_progress, stop)
    clips = read_clips(find_clips(recipe, on_fault), recipe, job.folder / "cache", processes, told, on_fault)
    flow = "dis" if job.method == "ren" else recipe.flow.name  # Ren's sees no other frames, and asks for none
    predictor = choose_flow(
        flow, None if flow == "dis" else recipe.flow.weights, processes.device, recipe.flow.certainty
    )
    for clip in clips:
        target = job.result / clip.name
        if target.exists():
            continue
        try:
            restorer = _learned(job, clip, predictor, processes.device, told, stop)
        except InputError as error:
            on_fault(InputError(f"Clip {clip.name}: {error}"))
            continue
        write_restored(restorer, len(clip.frames), target, told)
        shutil.rmtree(job.folder / "work", ignore_errors=True)


def _learned(
    job: Job,
    clip: TrainingClip,
    predictor: FlowPredictor,
    device: torch.device,
    on_progress: Progress,
    stop: Callable[[], bool],
) -> Restorer:
    recipe, method = job.recipe, job.recipe.method
    network, loss = _network(job, device)
    pairs = _pairs(job, clip, predictor, network, job.folder / "work" / clip.name)
    loop = replace(method.stage_one, steps=method.stage_one.steps + method.stage_two.steps)

    def after_step(step: Step) -> bool:
        on_progress(f"clip {clip.name}", step.number, loop.steps)
        if stop():
            raise Stopped
        return True

    torch.manual_seed(recipe.seed)
    train(network, pairs.draw, loss, loop, after_step)
    single = job.method == "ren"
    shown = replace(recipe.restore, guided=not single, window=1 if single else recipe.restore.window)
    return Restorer(network, clip.frames, clip.selection, predictor, recipe.align, shown)


def _network(job: Job, device: torch.device) -> tuple[Backbone, Loss]:
    """Ren's own network and loss where VGG is part of the recipe; else the recipe's network and plain pairs."""
    if job.method == "ren" and job.recipe.method.loss.perceptual > 0:
        torch.manual_seed(job.recipe.seed)
        return settle(Hypercolumn(vgg_path()), device), FeatureLoss(vgg_path()).to(device)
    return settle(first_network(job.recipe), device), learn_truth


def _pairs(job: Job, clip: TrainingClip, predictor: FlowPredictor, network: Backbone, folder: Path) -> Pairs:
    batch, seed = job.recipe.method.batch, job.recipe.seed
    if job.method == "ren":
        return RandomBlur(clip.frames, clip.selection, RenConfig(batch.crop, batch.size, 1, network.needs.guides), seed)
    config = DaDeblurConfig(batch.crop, batch.size, batch.window, network.needs.guides)
    prepared = prepare(
        clip.frames, clip.selection, predictor, folder, config=config, align=job.recipe.align, seed=seed
    )  # fmt: skip
    return ReblurredRegions(clip.frames, prepared, config, seed)
