"""Names and shapes of a network's weights: told without making them, and read."""

from collections.abc import Mapping

import torch

from selfhvd.backbones.backbone import Backbone


def layout(network: type[Backbone], config: object) -> dict[str, tuple[int, ...]]:
    """The state_dict names and shapes of `network(config)`; nothing is allocated or drawn."""
    with torch.device("meta"):
        made = network(config)  # pyright: ignore[reportCallIssue] - every network takes its configuration
    return {name: tuple(value.shape) for name, value in made.state_dict().items()}


def first_side(shapes: Mapping[str, tuple[int, ...]], name: str) -> int:
    """The length of the first axis of the tensor called `name`; 0 where there is none."""
    return next(iter(shapes.get(name, ())), 0)
