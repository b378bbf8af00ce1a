"""How layers start before any training."""

from typing import TypeVar

import torch
from torch import nn

Layer = TypeVar("Layer", bound=nn.Module)


def zeroed(layer: Layer) -> Layer:
    """The same layer, silent at first: a branch that ends in it adds nothing until it is trained."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    return layer
