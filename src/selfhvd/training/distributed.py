"""The processes that train together: one alone, or as many as `torchrun` started. Lightning Fabric joins several."""

import atexit
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from selfhvd.errors import UsageError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Value = TypeVar("Value")

_PATIENCE = timedelta(days=1)
"""How long a process waits for the others: one may align, or restore, a long clip."""


class Processes:
    """One process alone; what the training asks of those that train together.

    Args:
        device: where this process computes.
    """

    rank = 0
    """Number of this process, from 0."""
    count = 1
    """How many there are."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def join(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Both as they are to be called, so that all processes take the same steps."""
        return network, optimiser

    def backward(self, loss: Tensor) -> None:
        """The gradients of all processes' losses."""
        loss.backward()

    def meet(self) -> None:
        """Wait until all have come here."""

    def from_first(self, value: Value) -> Value:
        """The value that the first process has."""
        return value

    def mean(self, value: float) -> float:
        """Of all processes' values."""
        return value


class _Several(Processes):
    """A thin face of Fabric, typed."""

    def __init__(self, fabric: "Fabric") -> None:
        super().__init__(fabric.device)
        self._fabric, self.rank, self.count = fabric, fabric.global_rank, fabric.world_size

    def join(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        joined: Any = self._fabric.setup(network, optimiser)
        return joined

    def backward(self, loss: Tensor) -> None:
        self._fabric.backward(loss)

    def meet(self) -> None:
        self._fabric.barrier()

    def from_first(self, value: Value) -> Value:
        return self._fabric.broadcast(value) if self.count > 1 else value

    def mean(self, value: float) -> float:
        if self.count == 1:
            return value
        reduced: Any = self._fabric.all_reduce(
            torch.tensor(value, dtype=torch.float64, device=self.device), reduce_op="mean"
        )
        return float(reduced)


def together(device: torch.device) -> Processes:
    """All processes that `torchrun` started (its variables say how many, on how many machines); else one alone.

    Raises:
        UsageError: several are to be joined, and Fabric is not installed.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Processes(device)
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
    except ImportError:
        raise UsageError("Training needs lightning-fabric; install it with: pip install '.[train]'") from None

    here, machines = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["GROUP_WORLD_SIZE"])
    fabric = Fabric(accelerator=device.type, devices=here, num_nodes=machines, strategy=DDPStrategy(timeout=_PATIENCE))
    fabric.launch()
    atexit.register(_part)
    return _Several(fabric)


def _part() -> None:
    """Leave the others before the process ends: gloo's threads, still there then, now and then end it by SIGABRT."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
