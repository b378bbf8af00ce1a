"""The one training loop, read top to bottom; the same for one clip on a laptop and for a dataset on many machines."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from selfhvd.backbones.backbone import Backbone
from selfhvd.method.batch import Batch
from selfhvd.system.device import convolving
from selfhvd.training.distributed import Processes


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
    """Largest gradient norm; a guard against the one bad batch (infinity: none, as the shipped config)."""
    flow_rate: float = 1.0
    """Times the rate, for the flow network inside the network (shipped config: 0.25)."""
    flow_fixed: int = 0
    """Steps at the start in which that flow network stays as it is (shipped config: 5000)."""
    bfloat16: bool = False
    """Convolve in bf16 where the device computes in it; weights and sums stay in float32."""


@dataclass(frozen=True)
class Step:
    """What is told after each step."""

    number: int
    """Steps finished."""
    loss: float
    """Mean over the processes."""
    rate: float
    norm: float
    """Of the gradient, before it was clipped; the step was left out where it is not finite."""
    optimiser: torch.optim.Optimizer


def cosine_rate(step: int, config: LoopConfig) -> float:
    """Learning rate of `step`, from `rate` down to `last_rate` along half a cosine."""
    share = min(step / max(config.steps, 1), 1.0)
    return config.last_rate + 0.5 * (config.rate - config.last_rate) * (1 + math.cos(math.pi * share))


def train(
    network: Backbone,
    draw: Callable[[int], Batch],
    loss_of: Callable[[nn.Module, Batch], Tensor],
    config: LoopConfig,
    after_step: Callable[[Step], bool] = lambda step: True,
    *,
    processes: Processes | None = None,
    done: int = 0,
    optimiser_state: dict[str, Any] | None = None,
    until: int | None = None,
) -> None:
    """Train `network` in place.

    Args:
        network: the network; its device decides where it runs.
        draw: gives the batch of a step, this process's share of it.
        loss_of: the stage: network and batch to a scalar loss, a mean over the batch.
        config: optimiser and schedule.
        after_step: told of each step; returning False, in any of the processes, ends the training.
        processes: those that train together; by default this one alone.
        done: steps finished by an earlier run that is gone on with.
        optimiser_state: the state of its optimiser.
        until: the step before which to end; None = the schedule's last.
    """
    device = next(network.parameters()).device
    processes = processes or Processes(device)
    inner = {id(parameter) for parameter in network.flow_parameters()}
    groups = [[p for p in network.parameters() if (id(p) in inner) == own] for own in (False, True)]
    plain = torch.optim.Adam([{"params": group} for group in groups if group], lr=config.rate, betas=config.betas)
    if optimiser_state is not None:
        plain.load_state_dict(optimiser_state)
    joined, optimiser = processes.join(network, plain)
    joined.train()
    for step in range(done, config.steps if until is None else until):
        rate = cosine_rate(step, config)
        for group in plain.param_groups:
            group["lr"] = rate
        if inner:
            plain.param_groups[-1]["lr"] = rate * config.flow_rate if step >= config.flow_fixed else 0.0
        batch = draw(step).to(device)
        with convolving(device, config.bfloat16):
            loss = loss_of(joined, batch)
        optimiser.zero_grad(set_to_none=True)
        processes.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        # A step whose gradient is not finite would poison every weight: leave it out.
        if torch.isfinite(norm):
            optimiser.step()
        go_on = after_step(Step(step + 1, processes.mean(float(loss.detach())), rate, float(norm), plain))
        if processes.mean(float(go_on)) < 1:
            break
    network.eval()
