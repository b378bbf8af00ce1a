"""Optical flow behind one interface.

`FLOWS` holds the flows that need nothing else, `FLOW_NETWORKS` the networks that need weights.
"""

from collections.abc import Callable

from torch import nn

from selfhvd.flow.camera.predictor import GlobalMotionFlow
from selfhvd.flow.certainty import CertaintyConfig
from selfhvd.flow.device.predictor import DeviceMotionFlow
from selfhvd.flow.device.window_flow import WindowFlow
from selfhvd.flow.dis import Dis
from selfhvd.flow.flowformer import FlowFormer
from selfhvd.flow.predictor import Flow, FlowPredictor
from selfhvd.flow.raft import Raft, RaftConfig, RaftFlow
from selfhvd.flow.searaft import SeaRaft, SeaRaftConfig, SeaRaftFlow

FLOWS: dict[str, Callable[[], FlowPredictor]] = {"dis": lambda: GlobalMotionFlow(Dis())}

FLOW_NETWORKS: dict[str, tuple[type, type[nn.Module]]] = {
    "sea-raft": (SeaRaftConfig, SeaRaft),
    "raft": (RaftConfig, Raft),
}
"""Name -> configuration (a frozen dataclass whose defaults are the published network) and network built from it."""

__all__ = [
    "FLOWS",
    "FLOW_NETWORKS",
    "CertaintyConfig",
    "DeviceMotionFlow",
    "Dis",
    "Flow",
    "FlowFormer",
    "FlowPredictor",
    "GlobalMotionFlow",
    "Raft",
    "RaftConfig",
    "RaftFlow",
    "SeaRaft",
    "SeaRaftConfig",
    "SeaRaftFlow",
    "WindowFlow",
]
