"""Which optical flow a run uses: by name, or by what is at hand. Decided once, before the first frame."""

import logging
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from selfhvd.errors import UsageError, WeightsError
from selfhvd.flow import (
    CertaintyConfig,
    DeviceMotionFlow,
    Dis,
    FlowFormer,
    FlowPredictor,
    GlobalMotionFlow,
    Raft,
    RaftFlow,
    SeaRaft,
    SeaRaftFlow,
    WindowFlow,
)
from selfhvd.weights import cached, load_flow

log = logging.getLogger(__name__)

FlowName = Literal["auto", "dis", "sea-raft-s", "sea-raft-m", "raft", "flowformer++"]
_BEST = "sea-raft-m"
"""The paper's flow."""


def choose_flow(
    name: FlowName = "auto",
    weights: Path | None = None,
    device: torch.device = torch.device("cpu"),
    certainty: CertaintyConfig = CertaintyConfig(),
    *,
    shutter: bool = True,
    camera: bool = False,
) -> FlowPredictor:
    """The flow called `name`, ready to run; the choice and its reason are logged in one line.

    `auto` takes the network whose weights are given; without any, SEA-RAFT-M where its weights are cached and there is
    a GPU, else DIS. How large the frames are that it sees is for `AlignConfig` to say.

    Args:
        name: `dis` needs no weights; the others need them, given or cached.
        weights: a weights file of selfhvd, or for flowformer++ a checkpoint of ptlflow.
        device: where networks run; DIS runs on the CPU.
        certainty: how SEA-RAFT's mixture becomes U (Eq. 4); the others have their own.
        shutter: whether the camera's path during an exposure is found, too; see `GlobalMotionFlow`.
        camera: whether every flow is helped by the camera's motion, networks too, on the run's own device: elsewhere
            than on the CPU `DeviceMotionFlow` helps, and `dis` gives way to its `WindowFlow`. Without, networks give
            their bare flow, as in the paper, and `dis` is the same wherever it is asked for.

    Raises:
        WeightsError: the weights are not at hand, damaged, or those of another flow.
        UsageError: weights were given to `dis`, or ptlflow is not installed.
    """
    path, reason = _auto(weights, device) if name == "auto" else (_named(name, weights), "as asked")
    if path is None:
        predictor = _helped(None, device, shutter) if camera else _helped(Dis(), torch.device("cpu"), shutter)
    else:
        network = FlowFormer(path, device) if name == "flowformer++" else _by_network(path, device, certainty)
        if name not in ("auto", network.name):
            raise WeightsError(f"{path} holds {network.name}, not {name}; choose the flow {network.name}, or auto.")
        predictor = _helped(network, device, shutter) if camera else network
    log.info("flow: %s, %s", predictor.name, reason)
    return predictor


def _auto(weights: Path | None, device: torch.device) -> tuple[Path | None, str]:
    """The weights to use, None = DIS; and why."""
    if weights is not None:
        return weights, f"because its weights were given ({weights})"
    path = cached(_BEST)
    if path is None:
        return None, f"because no weights of {_BEST} are at hand"
    if device.type == "cpu":
        return None, f"because {_BEST} wants a GPU and the run is on the CPU"
    return path, f"because its weights and a GPU are at hand ({path})"


def _named(name: FlowName, weights: Path | None) -> Path | None:
    if name == "dis":
        if weights is not None:
            raise UsageError("The flow dis takes no weights; give it none, or choose the flow auto.")
        return None
    if name == "flowformer++":
        if weights is None:
            raise WeightsError(f"There are no weights for {name}; give ptlflow's checkpoint as the flow's weights.")
        return weights
    path = weights or cached(name)
    if path is None:
        raise WeightsError(
            f"There are no weights for {name} here; fetch them with `selfhvd weights fetch {name}`, "
            "or give a file of them as the flow's weights."
        )
    return path


_BY_OPENCV = ("cpu", "mps")
"""Devices whose camera OpenCV finds on the CPU, where it is faster; mps lacks some of what the other way needs."""


def _helped(free: FlowPredictor | None, device: torch.device, shutter: bool) -> FlowPredictor:
    """`free`, None = the embedded one, helped by the camera's motion on `device`."""
    # A blurred frame that is matched as it is leads the flow pixels astray.
    near, far = (0.3, 0.6) if shutter else (2.0, 5.0)
    if device.type in _BY_OPENCV:
        return GlobalMotionFlow(free or Dis(), near, far, shutter=shutter)
    return DeviceMotionFlow(free or WindowFlow(), near, far, shutter=shutter, device=device)


def _by_network(path: Path, device: torch.device, certainty: CertaintyConfig) -> FlowPredictor:
    network: nn.Module = load_flow(path).to(device)
    if isinstance(network, SeaRaft):
        return SeaRaftFlow(network, certainty)
    assert isinstance(network, Raft)
    return RaftFlow(network)
