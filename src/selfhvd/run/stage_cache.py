"""Stage cache: what a run found and learned about its clip, on disk; a damaged file is as good as none."""

import io
import json
import logging
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from selfhvd.backbones import Backbone
from selfhvd.errors import OutputError
from selfhvd.extensions.scenes import Scene
from selfhvd.system.atomic import replacing
from selfhvd.training.checkpoint import CheckpointConfig
from selfhvd.training.config import Adaptation

log = logging.getLogger(__name__)

_EVERY = 10
"""Steps of learning between two saves: seconds are lost, and the saving takes about one part in a hundred."""
_SCENES, _ADAPTATION = TypeAdapter(tuple[Scene, ...]), TypeAdapter(Adaptation)


class StageCache:
    """The stages of a run that are finished, in a folder.

    Args:
        folder: of the run; made where it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._scenes, self._adapted = folder / "scenes.json", folder / "adapted.ckpt"
        self.learning = folder / "adapt"
        """Where the learning keeps its material and its state."""
        self.keeping = CheckpointConfig(self.learning / "state.ckpt", _EVERY)

    def scenes(self, count: int) -> tuple[Scene, ...] | None:
        """Scenes and sharp frames of a clip of `count` frames."""
        if not self._scenes.exists():
            return None
        try:
            scenes = _SCENES.validate_json(self._scenes.read_bytes())
            if scenes[-1].end != count:
                raise ValueError
        except (OSError, ValueError, IndexError):
            return _damaged(self._scenes, "the sharp frames are looked for again")
        return scenes

    def keep_scenes(self, scenes: tuple[Scene, ...]) -> None:
        """For `scenes` of a later run; `OutputError` if they cannot be written."""
        _write(self._scenes, json.dumps([asdict(scene) for scene in scenes]).encode())

    def adaptation(self, network: Backbone) -> Adaptation | None:
        """How the learning went; `network` gets what was learned."""
        if not self._adapted.exists():
            return None
        try:
            with zipfile.ZipFile(self._adapted) as archive:
                if archive.testzip() is not None:
                    raise zipfile.BadZipFile
            state: dict[str, Any] = torch.load(self._adapted, map_location="cpu", weights_only=True)
            adaptation = _ADAPTATION.validate_python(state["adaptation"])
            network.load_state_dict(state["network"])
        except Exception:
            return _damaged(self._adapted, "the learning is done again")
        return adaptation

    def keep_adaptation(self, adaptation: Adaptation, network: Backbone) -> None:
        """For `adaptation` of a later run; `OutputError` if it cannot be written."""
        state = {"adaptation": asdict(adaptation), "network": network.state_dict()}
        data = io.BytesIO()  # writing a file itself, torch does not say that the disk is full
        torch.save(state, data)
        _write(self._adapted, data.getbuffer())


def _write(path: Path, data: bytes | memoryview) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, owned=True) as part:
            part.write_bytes(data)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); make room and run again to go on.") from error


def _damaged(path: Path, consequence: str) -> None:
    log.warning("%s is damaged: %s", path, consequence)
