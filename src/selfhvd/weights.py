"""Weights files: safetensors that name their network, so that it can be rebuilt from the file alone."""

import dataclasses
import json
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from selfhvd.backbones import BACKBONES
from selfhvd.backbones.backbone import Backbone
from selfhvd.errors import WeightsError

BASE_WEIGHTS = Path(__file__).parent / "data" / "lite.safetensors"
"""First base weights of `lite`, shipped with the package; their card is `lite.md` beside them."""


def save_weights(path: Path, network: Backbone, name: str, notes: dict[str, str] | None = None) -> None:
    """Write weights, the network's name and its configuration; written aside, then renamed."""
    config = json.dumps(dataclasses.asdict(network.config))  # pyright: ignore[reportArgumentType]
    aside = path.with_name(path.name + ".part")
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    save_file(state, aside, metadata={"backbone": name, "config": config, **(notes or {})})
    os.replace(aside, path)


def load_weights(path: Path) -> Backbone:
    """Rebuild a network from its file.

    Raises:
        WeightsError: the file is missing, damaged, of an unknown network, or its tensors do not fit.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weights file at {path}; check the path.")
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        config_class, network_class = BACKBONES[facts["backbone"]]
        settings = {k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(facts["config"]).items()}
        network = network_class(config_class(**settings))  # pyright: ignore[reportArgumentType]
        network.load_state_dict({key: value.float() for key, value in state.items()})
    except (SafetensorError, AttributeError, KeyError, ValueError, TypeError, RuntimeError, OSError) as error:
        raise WeightsError(f"{path} is not a weights file of a network known here ({error}).") from error
    broken = [key for key, value in network.state_dict().items() if not value.isfinite().all()]
    if broken:
        raise WeightsError(f"{path} holds values that are not finite, in {broken[0]}; fetch it again.")
    return network.eval()
