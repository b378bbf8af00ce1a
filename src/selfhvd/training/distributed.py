"""The processes that train together: one alone, or as many as `torchrun` started. Lightning Fabric joins them."""

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import torch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Value = TypeVar("Value")

_PATIENCE = timedelta(days=1)
"""How long a process waits for the others: one may align, or restore, a long clip."""


class Processes:
    """A thin face of Fabric: what the training asks of it, typed."""

    def __init__(self, fabric: "Fabric") -> None:
        self.fabric = fabric

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""
        return self.fabric.global_rank

    @property
    def count(self) -> int:
        """How many there are."""
        return self.fabric.world_size

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self.fabric.device

    def meet(self) -> None:
        """Wait until all have come here."""
        self.fabric.barrier()

    def from_first(self, value: Value) -> Value:
        """The value that the first process has."""
        return self.fabric.broadcast(value) if self.count > 1 else value

    def mean(self, value: float) -> float:
        """Of all processes' values."""
        if self.count == 1:
            return value
        reduced: Any = self.fabric.all_reduce(
            torch.tensor(value, dtype=torch.float64, device=self.device), reduce_op="mean"
        )
        return float(reduced)


def alone(device: torch.device) -> Processes:
    """One process on `device`."""
    from lightning_fabric import Fabric

    devices = [device.index or 0] if device.type == "cuda" else 1
    return Processes(Fabric(accelerator=device.type, devices=devices))


def together(device: torch.device) -> Processes:
    """All processes that `torchrun` started (its variables say how many, on how many machines); else one alone."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return alone(device)
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

    here, machines = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["GROUP_WORLD_SIZE"])
    fabric = Fabric(accelerator=device.type, devices=here, num_nodes=machines, strategy=DDPStrategy(timeout=_PATIENCE))
    fabric.launch()
    return Processes(fabric)
