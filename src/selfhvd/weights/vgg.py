"""The part of torchvision's VGG19 (Simonyan and Zisserman, ICLR 2015) that the perceptual loss looks through."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

LAYERS = 35
"""Layers up to conv5_4."""


@dataclass(frozen=True)
class Vgg19Config:
    """VGG19 has one size."""

    name: Literal["vgg19"] = "vgg19"


class Vgg19(nn.Module):
    """Its features under torchvision's own names."""

    def __init__(self, config: Vgg19Config = Vgg19Config()) -> None:
        from torchvision.models.vgg import cfgs, make_layers  # takes two seconds, and few runs need it

        super().__init__()
        self.config = config
        self.features = nn.Sequential(*list(make_layers(cfgs["E"]).children())[:LAYERS])

    @classmethod
    def recognised(cls, shapes: Mapping[str, tuple[int, ...]]) -> Vgg19Config | None:
        """Whether a checkpoint holds these features, by its bare names and shapes."""
        with torch.device("meta"):
            wanted = {name: tuple(value.shape) for name, value in cls().state_dict().items()}
        return Vgg19Config() if dict(shapes) == wanted else None
