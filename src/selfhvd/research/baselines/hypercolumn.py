"""The network of Ren et al. 2020, and its loss: hypercolumns of VGG19 in, dilated convolutions, a picture out.

Theirs, known for certain: VGG19 hypercolumns as input, and a loss on features. All else is derived from their wording,
which is that of a public network for reflections (Zhang et al., CVPR 2018): the layers, their dilations, the identity
at the start, the mixed normalisation, and the weights of the loss. There, VGG takes values of 0 to 255 and its features
are divided by 255; the VGG19 here takes values already divided, so its features are used as they are. Needs VGG19
weights (see `selfhvd.method.perceptual`), which do not come with this project.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from selfhvd.backbones.backbone import Backbone, Frames, Guides, Needs, Trust
from selfhvd.method.batch import Batch
from selfhvd.method.perceptual import Perceptual

_STAGES = (4, 9, 14, 23, 32)
"""Layers of torchvision's VGG19 up to and with the ReLU of conv1_2, 2_2, 3_2, 4_2 and 5_2."""
_CHANNELS = 3 + 64 + 128 + 256 + 512 + 512
_DILATIONS = (1, 2, 4, 8, 16, 32, 64, 1)
_FEATURE_WEIGHTS = (1 / 2.6, 1 / 4.8, 1 / 3.7, 1 / 5.6, 10 / 1.5)

Images = Float[Tensor, "batch 3 height width"]
Maps = Float[Tensor, "batch channel h w"]


@dataclass(frozen=True)
class HypercolumnConfig:
    """Size of the network."""

    name: Literal["hypercolumn"] = "hypercolumn"
    width: int = 64


class Columns(nn.Module):
    """The features of VGG19 after the second convolution of each of its five parts; never trained.

    Raises:
        WeightsError: the file does not hold VGG19 features.
    """

    def __init__(self, weights: Path) -> None:
        super().__init__()
        vgg = Perceptual(weights)
        self.features, self.mean, self.std = vgg.features[: _STAGES[-1]], vgg.mean, vgg.std

    def forward(self, image: Images) -> list[Maps]:
        """Of images in [0, 1]: 64, 128, 256, 512 and 512 channels, each at half the size of the one before."""
        return list(self._stages((image - self.mean) / self.std))

    def _stages(self, x: Maps) -> Iterator[Maps]:
        for place, layer in enumerate(self.features, start=1):
            # A ReLU that works in place would change the features already given out.
            x = F.relu(x) if isinstance(layer, nn.ReLU) else layer(x)
            if place in _STAGES:
                yield x


class Hypercolumn(Backbone):
    """Each frame alone: the picture and its hypercolumns, 1475 channels, through eight dilated 3x3 convolutions.

    Everything starts as the identity on the picture's channels, so the network hands its input through. VGG is no
    part of its own weights.

    Args:
        weights: VGG19 features; see `Columns`.
        config: size.
    """

    needs = Needs(
        least_side=16,
        bytes_per_pixel=16000,  # the columns, once as they are joined and once enlarged: 2 x 1475 channels of 4 bytes
        starts_as_identity=True,
    )

    def __init__(self, weights: Path, config: HypercolumnConfig = HypercolumnConfig()) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.columns = [Columns(weights)]
        """In a list, so that it is neither saved nor trained with the network."""
        self.squeeze = _Mixed(_CHANNELS, width, size=1)
        self.body = nn.Sequential(*[_Mixed(width, width, size=3, dilation=d) for d in _DILATIONS])
        self.paint = nn.Conv2d(width, 3, 1)
        _start_as_identity(self.paint)

    def deblur(self, frames: Frames, guides: Guides | None, trust: Trust | None) -> Frames:
        """See `Backbone.deblur`."""
        batch = frames.shape[0]
        image = rearrange(frames, "b f c h w -> (b f) c h w")
        output = self.paint(self.body(self.squeeze(self.hypercolumns(image))))
        return rearrange(output, "(b f) c h w -> b f c h w", b=batch)

    @torch.no_grad()
    def hypercolumns(self, image: Images) -> Float[Tensor, "batch 1475 height width"]:
        """The picture first, then VGG's features, enlarged to its size."""
        columns = self.columns[0].to(image.device)(image)
        return torch.cat([image, *(_enlarged(column, image) for column in columns)], dim=1)


class _Mixed(nn.Module):
    """Convolution, a learned mixture of its output and its normalised output (Chen et al., ICCV 2017), leaky ReLU."""

    def __init__(self, width: int, wanted: int, size: int, dilation: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, wanted, size, padding=size // 2 * dilation, dilation=dilation, bias=False)
        _start_as_identity(self.convolution)
        self.norm = nn.BatchNorm2d(wanted)
        self.plain = nn.Parameter(torch.ones(()))
        self.normed = nn.Parameter(torch.zeros(()))

    def forward(self, x: Maps) -> Float[Tensor, "batch wanted h w"]:
        x = self.convolution(x)
        return F.leaky_relu(self.plain * x + self.normed * self.norm(x), 0.2)


def _start_as_identity(convolution: nn.Conv2d) -> None:
    nn.init.dirac_(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)


def _enlarged(column: Maps, image: Images) -> Float[Tensor, "batch channel height width"]:
    return F.interpolate(column, size=image.shape[-2:], mode="bilinear", align_corners=False)


class FeatureLoss(nn.Module):
    """L1 of the pictures, plus L1 of VGG19's features, weighted so that each counts about as much; a stage's loss.

    Args:
        weights: VGG19 features; see `Columns`.
    """

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.columns = Columns(weights)

    def forward(self, network: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        """Network and batch in, as the loop has it; frames count by their weight."""
        output, target = network(batch.frames, batch.guides, batch.trust), batch.target
        return (self.distance(output.flatten(0, 1), target.flatten(0, 1)) * batch.weight.flatten()).mean()

    def distance(self, output: Images, target: Images) -> Float[Tensor, " batch"]:
        """Of each two images in [0, 1]."""
        total = (output - target).abs().mean(dim=(1, 2, 3))
        for weight, a, b in zip(_FEATURE_WEIGHTS, self.columns(output), self.columns(target), strict=True):
            total = total + weight * (a - b).abs().mean(dim=(1, 2, 3))
        return total
