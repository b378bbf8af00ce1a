"""The perceptual loss (Eq. 11, 12): distance of VGG19 features. On only where VGG weights are at hand."""

import logging
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from selfhvd.errors import WeightsError
from selfhvd.weights.cache import cache_folder

log = logging.getLogger(__name__)

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_LAYERS = 35
"""Layers of torchvision's VGG19 up to conv5_4 (derived: the paper names VGG, not the layer)."""


def vgg_path() -> Path:
    """Where VGG19 weights are looked for: where `selfhvd weights fetch vgg19` puts them."""
    return cache_folder() / "vgg19.safetensors"


class Perceptual(nn.Module):
    """mean |φ(a) - φ(b)|, φ = VGG19 features up to conv5_4 of ImageNet-normalised images."""

    def __init__(self, weights: Path) -> None:
        from torchvision.models.vgg import cfgs, make_layers  # takes two seconds, and few runs need it

        super().__init__()
        self.features = nn.Sequential(*list(make_layers(cfgs["E"]).children())[:_LAYERS])
        try:
            state = load_file(weights)
            wanted = {k.removeprefix("features."): v for k, v in state.items() if k.startswith("features.")}
            self.features.load_state_dict({k: v for k, v in wanted.items() if int(k.split(".")[0]) < _LAYERS})
        except (SafetensorError, OSError, ValueError, RuntimeError) as error:
            raise WeightsError(f"{weights} does not hold VGG19 features as torchvision names them.") from error
        self.requires_grad_(False).eval()
        self.mean = nn.Buffer(torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.std = nn.Buffer(torch.tensor(_STD).view(1, 3, 1, 1))

    def forward(
        self,
        output: Float[Tensor, "batch frame 3 height width"],
        target: Float[Tensor, "batch frame 3 height width"],
    ) -> Float[Tensor, "batch frame"]:
        """Distance of the features of two images in [0, 1], for each frame."""
        a, b = ((x.flatten(0, 1) - self.mean) / self.std for x in (output, target))
        distance = (self.features(a) - self.features(b)).abs().mean(dim=(1, 2, 3))
        return distance.view(output.shape[:2])


def find_perceptual(device: torch.device = torch.device("cpu"), required: bool = False) -> Perceptual | None:
    """The perceptual loss if weights are at hand; else None, said in one log line.

    Raises:
        WeightsError: they are `required` and not at hand, or damaged.
    """
    path = vgg_path()
    if not path.is_file():
        if required:
            raise WeightsError(
                "The recipe asks for the perceptual loss and no VGG weights are at hand; `selfhvd weights fetch vgg19`"
                " fetches them, method.loss.perceptual = 0 does without."
            )
        log.info("perceptual term off: no VGG weights at %s", path)
        return None
    return Perceptual(path).to(device)
