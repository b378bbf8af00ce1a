"""RAFT (Teed and Deng, ECCV 2020), torchvision's: the paper's ablation of the flow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from selfhvd.flow.network import Images, NetworkFlow, cropped, margins, padded
from selfhvd.flow.predictor import Flow


@dataclass(frozen=True)
class RaftConfig:
    """How it is run; the network has one size."""

    name: Literal["raft"] = "raft"
    iterations: int = 12


class Raft(nn.Module):
    """torchvision's `raft_large` with its own parameter names; images in [-1, 1], sides multiples of 8, from 128 up."""

    def __init__(self, config: RaftConfig = RaftConfig()) -> None:
        from torchvision.models.optical_flow import raft_large  # takes two seconds, and few runs need it

        super().__init__()
        whole = raft_large(weights=None)
        # Its parts stand here directly, so that their names are torchvision's; its class says how they work together.
        for name, part in whole.named_children():
            self.add_module(name, part)
        self._work = type(whole).forward
        self.config = config

    def forward(self, first: Images, second: Images) -> list[Tensor]:
        """The flow after each iteration."""
        return self._work(self, first, second, num_flow_updates=self.config.iterations)  # pyright: ignore[reportArgumentType]

    @classmethod
    def recognised(cls, shapes: Mapping[str, tuple[int, ...]]) -> RaftConfig | None:
        """The configuration of a torchvision checkpoint by its bare names and shapes; None = not a `raft_large`."""
        with torch.device("meta"):
            wanted = {key: tuple(value.shape) for key, value in cls().state_dict().items()}
        return RaftConfig() if all(shapes.get(key) == shape for key, shape in wanted.items()) else None


class RaftFlow(NetworkFlow):
    """Flow by RAFT. It says nothing about its error, so U = 1 and of the masks only Eq. 5's speaks.

    Args:
        network: with weights.
    """

    name = "raft"
    least_side = 128

    def __init__(self, network: Raft) -> None:
        super().__init__(network)
        self.raft = network

    def search(self, first: Images, second: Images) -> Flow:
        """See `NetworkFlow`."""
        around = margins(*first.shape[-2:])
        a, b = (padded(2 * image - 1, around) for image in (first, second))
        field = cropped(self.raft(a, b)[-1], around)
        return Flow(field, torch.ones_like(field[:, :1]))
