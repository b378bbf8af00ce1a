"""The network that a run begins with: untrained, from the weights given, or from those at hand for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selfhvd.backbones import BACKBONES, Backbone
from selfhvd.errors import UsageError, WeightsError
from selfhvd.weights.cache import at_hand
from selfhvd.weights.file import BASE_WEIGHTS, load_weights
from selfhvd.weights.settings import configured


def choose_backbone(
    name: str,
    weights: Path | None = None,
    *,
    untrained: bool = False,
    settings: Mapping[str, Any] = {},
    otherwise: str = "or name a file",
) -> Backbone:
    """The network called `name`, on the CPU.

    Args:
        name: a key of `BACKBONES`.
        weights: a file of that network; None = the base weights of `lite`, and what was fetched of the others.
        untrained: no weights; the generator of torch decides the first ones.
        settings: changes to an untrained network's own configuration.
        otherwise: what else can be done where no weights are at hand.

    Raises:
        UsageError: there is no such network.
        SettingError: there is no such setting.
        WeightsError: no weights are at hand, or see `load_weights`.
    """
    check_backbone(name)
    if untrained:
        config, network = BACKBONES[name]
        return network(configured(config, settings) if settings else config()).eval()
    path = weights or (BASE_WEIGHTS if name == "lite" else at_hand(name))
    if path is None:
        raise WeightsError(f"No weights for {name} are at hand; see `selfhvd weights list`, {otherwise}.")
    return load_weights(path, name)


def check_backbone(name: str) -> None:
    """`UsageError` unless there is a network of that name."""
    if name not in BACKBONES:
        raise UsageError(f"There is no network called {name}; there are {', '.join(BACKBONES)}.")
