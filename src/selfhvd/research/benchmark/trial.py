"""One trial: a row's network learns a clip, restores it, and is measured against the truth. The last step is kept."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.backbones import Backbone
from selfhvd.errors import WeightsError
from selfhvd.extensions.selection import SharpConfig, find_sharp
from selfhvd.flow import Dis, FlowPredictor
from selfhvd.method.align import AlignConfig
from selfhvd.method.composite import composite
from selfhvd.method.perceptual import find_perceptual
from selfhvd.method.stages import learn_truth
from selfhvd.metrics.drift import drift
from selfhvd.metrics.psnr import psnr
from selfhvd.metrics.ssim import ssim
from selfhvd.ops.quantize import to_pixels
from selfhvd.research.baselines.dadeblur import DaDeblurConfig, ReblurredRegions, prepare
from selfhvd.research.baselines.pairs import Pairs
from selfhvd.research.baselines.ren import RandomBlur, RenConfig
from selfhvd.research.benchmark.clips import Clip
from selfhvd.research.benchmark.rows import Setup
from selfhvd.research.benchmark.size import Size
from selfhvd.restore.config import RestoreConfig
from selfhvd.restore.restorer import Restorer
from selfhvd.run.config import DeblurConfig, preset_config
from selfhvd.training.clip import TrainingClip
from selfhvd.training.config import AdaptConfig
from selfhvd.training.loop import train
from selfhvd.training.two_stage import TwoStageTrainer
from selfhvd.video.frame_source import ArrayFrames
from selfhvd.weights.choose_backbone import choose_backbone
from selfhvd.weights.choose_flow import FlowName, choose_flow

Image = Float[Tensor, "3 height width"]
_DRIFT_EVERY = 3
"""Of the blurry frames, each so-manieth has its drift measured."""
_KNOWN_FLOWS: dict[str, FlowName] = {"dis": "dis", "raft": "raft", "sea-raft-m": "sea-raft-m"}


@dataclass(frozen=True)
class Score:
    """How good the restored frames are; means over frames."""

    clip: str
    psnr: float
    """dB, blurry frames, RGB, 8 bits."""
    ssim: float
    """Blurry frames."""
    sharp_psnr: float
    """dB, sharp frames as the network gives them (the product hands them through)."""
    drift: float
    """Median flow between output and truth, pixels, by DIS after the camera's motion; blurry frames."""
    seconds: float
    """Learning and restoring."""


def try_out(setup: Setup, size: Size, clip: Clip, seed: int) -> Score | None:
    """Learn, restore, measure; None where the row needs weights that are not at hand."""
    torch.manual_seed(seed)
    started = time.monotonic()
    try:
        outputs = [to_pixels(image) for image in _outputs(setup, size, clip, seed)]
    except WeightsError:
        return None
    seconds = time.monotonic() - started
    measure = choose_flow("dis", shutter=False)
    probes = clip.blurry[::_DRIFT_EVERY]
    return Score(
        clip=clip.name,
        psnr=_mean(psnr(outputs[i], clip.truth[i]) for i in clip.blurry),
        ssim=_mean(ssim(outputs[i], clip.truth[i]) for i in clip.blurry),
        sharp_psnr=_mean(psnr(outputs[i], clip.truth[i]) for i in clip.sharp),
        drift=_mean(drift(_tensor(outputs[i]), _tensor(clip.truth[i]), measure) for i in probes),
        seconds=round(seconds, 1),
    )


def _outputs(setup: Setup, size: Size, clip: Clip, seed: int) -> Iterator[Image]:
    frames = ArrayFrames(clip.frames)
    selection = find_sharp(frames, clip.keyframes, SharpConfig(rule="otsu", segment=setup.segment))
    predictor = (
        Dis()
        if setup.flow == "dis-alone"
        else choose_flow(_KNOWN_FLOWS[setup.flow], shutter=setup.method != "composite")
    )
    if setup.method == "input":
        return (frames.tensor(i) for i in range(len(frames)))
    if setup.method == "composite":
        return (composite(frames, selection.sharp, i, predictor) for i in range(len(frames)))
    return iter(_trained(setup, size, TrainingClip(frames, selection, ArrayFrames(clip.truth)), predictor, seed))


def _trained(setup: Setup, size: Size, shown: TrainingClip, predictor: FlowPredictor, seed: int) -> Restorer:
    """The restorer of the network that has learned."""
    network = choose_backbone(size.backbone, untrained=setup.start == "scratch")
    base = preset_config("fast", backbone=size.backbone, from_scratch=setup.start == "scratch")
    align = AlignConfig(use_uncertainty=setup.uncertainty, use_occlusion=setup.occlusion, resampling=setup.resampling)
    config = _adaptation(setup, size, base, network)
    with TemporaryDirectory(prefix="selfhvd-") as work:
        folder = Path(work)
        if setup.method in ("selfhvd", "supervised"):
            TwoStageTrainer(
                network, [shown], predictor, folder, align=align, config=config, perceptual=find_perceptual(),
                seed=seed, untrained=setup.start == "scratch",
            ).run()  # fmt: skip
        elif setup.method in ("ren", "dadeblur"):
            pairs = _pairs(setup, config, shown, predictor, folder, seed, network)
            loop = replace(config.stage_one, steps=size.steps)
            train(network, pairs.draw, learn_truth, loop)
    # Ren's network has learned from single frames: it is not shown any sharp ones now either.
    restoring = RestoreConfig(which="all", each_side=1, guided=setup.method != "ren")
    return Restorer(network, shown.frames, shown.selection, predictor, align, restoring)


def _adaptation(setup: Setup, size: Size, base: DeblurConfig, network: Backbone) -> AdaptConfig:
    """The product's own settings, but for what the row and the size change."""
    adapt = base.adapt
    # Without SEVD and SCSCM the second stage would be the first again: the paper's row is one stage.
    one_stage = setup.method == "supervised" or not (setup.rscr or setup.sis or setup.scscm)
    first = size.steps if one_stage else size.steps // 3
    return replace(
        adapt,
        teach="truth" if setup.method == "supervised" else "sharp-frames",
        stage_one=replace(adapt.stage_one, steps=first),
        stage_two=replace(adapt.stage_two, steps=size.steps - first),
        loss=replace(adapt.loss, rscr=setup.rscr, sis=setup.sis, consistency=float(setup.scscm)),
        batch=replace(
            adapt.batch, crop=size.crop, size=size.batch, segment=setup.segment,
            window=min(size.window, network.needs.window),
        ),
        updates=setup.updates,
        judge=False,
    )  # fmt: skip


def _pairs(
    setup: Setup,
    config: AdaptConfig,
    shown: TrainingClip,
    predictor: FlowPredictor,
    folder: Path,
    seed: int,
    network: Backbone,
) -> Pairs:
    batch, guides = config.batch, network.needs.guides
    if setup.method == "ren":
        wanted = RenConfig(batch.crop, batch.size, batch.window, guides)
        return RandomBlur(shown.frames, shown.selection, wanted, seed)
    asked = DaDeblurConfig(batch.crop, batch.size, batch.window, guides)
    prepared = prepare(shown.frames, shown.selection, predictor, folder, config=asked, seed=seed)
    return ReblurredRegions(shown.frames, prepared, asked, seed)


def _mean(values: Iterator[float]) -> float:
    found = list(values)
    return float(np.mean(found)) if found else float("nan")


def _tensor(image: np.ndarray) -> Image:
    return torch.from_numpy(image).permute(2, 0, 1).float() / 255
