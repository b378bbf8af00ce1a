"""FlowFormer++ (Shi et al., CVPR 2023), from the optional flow zoo: the paper's ablation of the flow."""

import importlib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from selfhvd.errors import UsageError
from selfhvd.flow.network import Images, NetworkFlow
from selfhvd.flow.predictor import Flow


class FlowFormer(NetworkFlow):
    """Flow by ptlflow's `flowformer_pp`. It says nothing about its error, so U = 1 and only Eq. 5's mask speaks.

    Args:
        weights: a checkpoint of ptlflow for `flowformer_pp`.
        device: where it runs.

    Raises:
        UsageError: ptlflow is not installed, or does not take the checkpoint.
    """

    name = "flowformer++"
    least_side = 128

    def __init__(self, weights: Path, device: torch.device = torch.device("cpu")) -> None:
        super().__init__(_from_the_zoo(weights).to(device))

    def search(self, first: Images, second: Images) -> Flow:
        """See `NetworkFlow`; the network pads by itself and takes BGR in [0, 1]."""
        pair = torch.stack([first, second], dim=1).flip(2)
        field = self.network({"images": pair})["flows"][:, 0]
        return Flow(field, torch.ones_like(field[:, :1]))


def _from_the_zoo(weights: Path) -> nn.Module:
    zoo = _ptlflow()
    try:
        return zoo.get_model("flowformer_pp", ckpt_path=str(weights))
    except Exception as error:  # the zoo raises what it likes
        raise UsageError(f"ptlflow does not take {weights} as weights of flowformer_pp ({error}).") from error


def _ptlflow() -> Any:  # noqa: ANN401 - optional, without types
    # Imported here, because it takes ten seconds and a gigabyte.
    try:
        return importlib.import_module("ptlflow")
    except ImportError:
        raise UsageError("flowformer++ needs ptlflow; install it with: pip install '.[flow-zoo]'") from None
