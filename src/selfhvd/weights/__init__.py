"""Weights: files that name their own network, official checkpoints, and how the ones are made of the others."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfhvd.weights.cache import at_hand, cached
    from selfhvd.weights.conversion import convert
    from selfhvd.weights.file import BASE_WEIGHTS, load_flow, load_weights, name_of, save_weights

__all__ = ["BASE_WEIGHTS", "at_hand", "cached", "convert", "load_flow", "load_weights", "name_of", "save_weights"]

_HOMES = {"at_hand": "cache", "cached": "cache", "convert": "conversion"}
"""All other names are at home in `file`."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the module protocol's own signature
    """Import a public name when it is first asked for: torch takes seconds, and a list of what there is needs none."""
    if name not in __all__:
        raise AttributeError(f"module 'selfhvd.weights' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"selfhvd.weights.{_HOMES.get(name, 'file')}"), name)
