"""Checkpoint: how far the learning has come, kept on disk so that a killed run goes on where it was."""

import io
import logging
import os
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from selfhvd.backbones.backbone import Backbone
from selfhvd.errors import InputError, OutputError
from selfhvd.method.scscm import ProbeScores, Snapshot
from selfhvd.system.atomic import replacing

log = logging.getLogger(__name__)


class DamagedState(InputError):  # noqa: N818 - what it is, not who raises it
    """A kept state that cannot be gone on from."""


@dataclass(frozen=True)
class CheckpointConfig:
    """Where the state is kept, and how often."""

    path: Path
    every: int = 500
    """Steps between two saves."""


@dataclass
class TrainState:
    """Everything to go on from."""

    before: ProbeScores
    """Of the network before the first step."""
    stage: int = 1
    """1 or 2."""
    done: int = 0
    """Steps finished of this stage."""
    steps: int = 0
    """Steps taken in the stages before."""
    optimiser: dict[str, Any] | None = None
    snapshot: Snapshot | None = None
    perceptual: bool = False
    """Whether the perceptual term is part of the losses."""

    def save(self, path: Path, network: Backbone) -> None:
        """Write aside, then rename; tensors, numbers and texts only. What was there before stays as `older(path)`.

        Raises:
            OutputError: it cannot be written; what was there before still is.
        """
        kept = self.snapshot
        state = {
            "network": network.state_dict(),
            "before": asdict(self.before),
            "stage": self.stage,
            "done": self.done,
            "steps": self.steps,
            "optimiser": self.optimiser,
            "perceptual": self.perceptual,
            "snapshot": None if kept is None else kept.network.state_dict(),
            "standing": None if kept is None else asdict(kept.standing),
            "updates_left": 0 if kept is None else kept.updates_left,
        }
        data = io.BytesIO()  # writing a file itself, torch does not say that the disk is full
        torch.save(state, data)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path, owned=True) as part:
                part.write_bytes(data.getbuffer())
                if path.exists():
                    os.replace(path, older(path))
        except OSError as error:
            reason = error.strerror
            raise OutputError(f"{path} cannot be written ({reason}); make room and run again to go on.") from error

    @classmethod
    def load(cls, path: Path, network: Backbone, tolerance: float) -> "TrainState":
        """What `save` wrote; `network` gets its parameters back.

        Raises:
            DamagedState: the file is damaged, or of another network.
        """
        try:
            # torch does not look at the checksums that it writes.
            with zipfile.ZipFile(path) as archive:
                if archive.testzip() is not None:
                    raise zipfile.BadZipFile
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            snapshot = None
            if state["snapshot"] is not None:
                network.load_state_dict(state["snapshot"])
                standing = ProbeScores(**state["standing"])
                snapshot = Snapshot(network, standing, updates=state["updates_left"], tolerance=tolerance)
            network.load_state_dict(state["network"])
            before = ProbeScores(**state["before"])
        except Exception as error:
            raise DamagedState(f"{path} is no state of this training; remove it to begin anew.") from error
        progress = state["stage"], state["done"], state["steps"], state["optimiser"]
        return cls(before, *progress, snapshot, state.get("perceptual", False))

    @classmethod
    def resume(cls, path: Path, network: Backbone, tolerance: float) -> "TrainState | None":
        """The last state that was kept at `path`, or the one before if that is damaged; None = there is none.

        Raises:
            DamagedState: none of them can be gone on from.
        """
        kept = [state for state in (path, older(path)) if state.exists()]
        for number, state in enumerate(kept, 1):
            try:
                return cls.load(state, network, tolerance)
            except DamagedState:
                if number == len(kept):
                    raise
                log.warning("%s is damaged; the learning goes on from the state kept before it", state)
        return None


def older(path: Path) -> Path:
    """Where the state lies that was kept at `path` before the last one."""
    return path.with_name(f"{path.name}.older")
