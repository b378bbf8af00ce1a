"""SPyNet, a small coarse-to-fine optical flow (Ranjan and Black, CVPR 2017), as BasicVSR++ and RVRT carry it inside."""

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from selfhvd.backbones.initial import zeroed
from selfhvd.ops.warp import warp_clamped

Layout = Literal["mmedit", "basicsr"]
"""Whose key names: `basic_module.L.basic_module.{0..4}.conv.*` or `basic_module.L.basic_module.{0,2,4,6,8}.*`."""

_LEVELS = 6
_WIDTHS = (8, 32, 64, 32, 16, 2)
_MULTIPLE = 2 ** (_LEVELS - 1)
_PIXELS_AT_ONCE = 2**16
"""Pixels of the pairs that are estimated together: speed for small frames, no more memory for large ones."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Image = Float[Tensor, "batch 3 height width"]
FlowField = Float[Tensor, "batch xy=2 height width"]


class SpyNet(nn.Module):
    """Flow on the grid of `reference`, pointing into `supporting`, in pixels (x, y).

    RGB in [0, 1], any size: sides are resized to multiples of 32 and the flow is resized back. Each level of a pyramid
    enlarges the flow of the level above, warps the supporting picture with it and adds what five convolutions see left.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1))
        self.basic_module = nn.ModuleList([_Level(layout) for _ in range(_LEVELS)])

    def forward(self, reference: Image, supporting: Image) -> FlowField:
        """A batch of pairs at once."""
        height, width = reference.shape[-2:]
        fitted = height + -height % _MULTIPLE, width + -width % _MULTIPLE
        flow = self._estimated(_resized(reference, fitted), _resized(supporting, fitted))
        scale = flow.new_tensor([width / fitted[1], height / fitted[0]]).view(1, 2, 1, 1)
        return _resized(flow, (height, width)) * scale

    def neighbours(self, clip: Float[Tensor, "batch frame 3 height width"]) -> tuple[list[FlowField], list[FlowField]]:
        """From each frame but the last into the next, and from each but the first into the one before it."""
        batch, count, _, height, width = clip.shape
        images = clip.unbind(dim=1)
        firsts, seconds = (*images[:-1], *images[1:]), (*images[1:], *images[:-1])
        at_once = max(1, _PIXELS_AT_ONCE // (batch * height * width))
        flows: list[FlowField] = []
        for start in range(0, len(firsts), at_once):
            pairs = slice(start, start + at_once)
            flows += self(torch.cat(firsts[pairs]), torch.cat(seconds[pairs])).split(batch)
        return flows[: count - 1], flows[count - 1 :]

    def _estimated(self, reference: Image, supporting: Image) -> FlowField:
        references, supportings = self._pyramid(reference), self._pyramid(supporting)
        coarsest = references[0]
        flow = coarsest.new_zeros(coarsest.shape[0], 2, *coarsest.shape[-2:])
        for n, (level, first, second) in enumerate(zip(self.basic_module, references, supportings, strict=True)):
            if n:
                flow = 2 * F.interpolate(flow, scale_factor=2.0, mode="bilinear", align_corners=True)
            flow = flow + level(torch.cat([first, warp_clamped(second, flow), flow], dim=1))
        return flow

    def _pyramid(self, image: Image) -> list[Tensor]:
        """Normalised colours, coarsest first."""
        pyramid = [(image - self.mean) / self.std]
        for _ in range(_LEVELS - 1):
            pyramid.insert(0, F.avg_pool2d(pyramid[0], 2))
        return pyramid


class _Level(nn.Module):
    """Reference (3), warped supporting picture (3) and flow (2) in, what to add to the flow out."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        convolutions = [nn.Conv2d(i, o, 7, padding=3) for i, o in pairwise(_WIDTHS)]
        zeroed(convolutions[-1])
        layers: list[nn.Module] = []
        for n, convolution in enumerate(convolutions):
            last = n + 1 == len(convolutions)
            if layout == "mmedit":
                layers.append(_Named(convolution, nn.Identity() if last else nn.ReLU(inplace=True)))
            else:
                layers += [convolution] if last else [convolution, nn.ReLU(inplace=True)]
        self.basic_module = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "batch 8 h w"]) -> Float[Tensor, "batch xy=2 h w"]:
        return self.basic_module(x)


class _Named(nn.Module):
    """A convolution that goes by the key `conv`, with its activation."""

    def __init__(self, convolution: nn.Conv2d, activation: nn.Module) -> None:
        super().__init__()
        self.conv, self.activation = convolution, activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.conv(x))


def _resized(x: Float[Tensor, "batch channel _ _"], size: tuple[int, int]) -> Float[Tensor, "batch channel h w"]:
    return x if x.shape[-2:] == size else F.interpolate(x, size=size, mode="bilinear", align_corners=False)
