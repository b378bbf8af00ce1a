"""The one training loop, read top to bottom."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from selfhvd.backbones.backbone import Backbone
from selfhvd.training.batches import Batch


@dataclass(frozen=True)
class LoopConfig:
    """Optimiser and schedule."""

    steps: int = 600
    rate: float = 1e-4
    """First learning rate (shipped BasicVSR++ config: 1e-4)."""
    last_rate: float = 1e-7
    """Last learning rate of the cosine (shipped config: 1e-7)."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Adam (shipped config)."""
    clip: float = 1.0
    """Largest gradient norm; a guard against the one bad batch."""
    bfloat16: bool = False
    """Convolve in bf16; weights and sums stay in float32."""


def cosine_rate(step: int, config: LoopConfig) -> float:
    """Learning rate of `step`, from `rate` down to `last_rate` along half a cosine."""
    share = min(step / max(config.steps, 1), 1.0)
    return config.last_rate + 0.5 * (config.rate - config.last_rate) * (1 + math.cos(math.pi * share))


def train(
    network: Backbone,
    draw: Callable[[], Batch],
    loss_of: Callable[[Backbone, Batch], Tensor],
    config: LoopConfig,
    after_step: Callable[[int, float], bool] = lambda step, loss: True,
) -> None:
    """Train `network` in place.

    Args:
        network: the network; its device decides where it runs.
        draw: gives the next batch.
        loss_of: the stage: network and batch to a scalar loss.
        config: optimiser and schedule.
        after_step: told the number of finished steps and the loss; returning False ends the training.
    """
    device = next(network.parameters()).device
    optimiser = torch.optim.Adam(network.parameters(), lr=config.rate, betas=config.betas)
    network.train()
    for step in range(config.steps):
        for group in optimiser.param_groups:
            group["lr"] = cosine_rate(step, config)
        batch = draw().to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bfloat16):
            loss = loss_of(network, batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        # A step whose gradient is not finite would poison every weight: leave it out.
        if torch.isfinite(norm):
            optimiser.step()
        if not after_step(step + 1, float(loss.detach())):
            break
    network.eval()
