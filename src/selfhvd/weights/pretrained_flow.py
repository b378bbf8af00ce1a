"""SPyNet alone, the flow network inside BasicVSR++ and RVRT: its published weights for a network that is untrained."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from selfhvd.backbones.spynet import SpyNet


@dataclass(frozen=True)
class SpyNetConfig:
    """SPyNet has one size."""

    name: Literal["spynet"] = "spynet"


class PretrainedSpyNet(SpyNet):
    """SPyNet under mmedit's names, which stores convolutions alone, as the published file does."""

    def __init__(self, config: SpyNetConfig = SpyNetConfig()) -> None:
        super().__init__("mmedit")
        self.config = config
        for name in ("mean", "std"):
            self.register_buffer(name, self.get_buffer(name), persistent=False)

    @classmethod
    def recognised(cls, shapes: Mapping[str, tuple[int, ...]]) -> SpyNetConfig | None:
        """Whether a checkpoint holds just this, by its bare names and shapes."""
        with torch.device("meta"):
            wanted = {name: tuple(value.shape) for name, value in cls().state_dict().items()}
        return SpyNetConfig() if dict(shapes) == wanted else None
