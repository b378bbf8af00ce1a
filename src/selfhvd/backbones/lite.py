"""lite: our small network for a two-core CPU, a U-Net that fuses each frame with the sharp frames around it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from selfhvd.backbones.backbone import Backbone, Frames, Guides, Needs, Trust
from selfhvd.backbones.lite_int8 import InnerInt8, Ranges, computes_int8

Convolution = Callable[[Tensor], Tensor]
"""A layer with its weights."""


@dataclass(frozen=True)
class LiteConfig:
    """Size of the network; the default has 0.9 million parameters and costs 84 kFLOP a pixel."""

    name: Literal["lite"] = "lite"
    widths: tuple[int, int, int] = (32, 64, 96)
    """Channels at 1/2, 1/4 and 1/8 of the resolution."""
    blocks: tuple[int, int, int] = (2, 2, 3)
    """Residual blocks on the way down; one a level on the way up."""


class Lite(Backbone):
    """Frame + the nearest sharp frame before and after it, aligned, in; residual and blending weights out.

    out = B + Δ + Σ_g a_g · M_g · (G_g - B), with Δ (three channels) and the weights a_g made at half resolution and
    unfolded to full. The last layer starts at zero, so the network starts as the identity.

    Where the `ranges` of its values are known, no gradient is asked for and the CPU can, its inner levels are
    calculated in 8 bits, to about 0.15 of a code of the output.
    """

    needs = Needs(
        multiple_of=8,
        guides=2,
        bytes_per_pixel=600,  # 294 to 458 were measured from 720p to 2160p in float32 on a CPU, 218 to 321 in bf16
        starts_as_identity=True,
    )

    def __init__(self, config: LiteConfig = LiteConfig()) -> None:
        super().__init__()
        self.config = config
        half, quarter, eighth = config.widths
        self.head = nn.Conv2d(4 * (3 + 4 * self.needs.guides), half, 3, padding=1)
        self.down_half = _blocks(half, config.blocks[0])
        self.to_quarter = nn.Conv2d(half, quarter, 3, stride=2, padding=1)
        self.down_quarter = _blocks(quarter, config.blocks[1])
        self.to_eighth = nn.Conv2d(quarter, eighth, 3, stride=2, padding=1)
        self.bottom = _blocks(eighth, config.blocks[2])
        self.from_eighth = nn.Conv2d(eighth, quarter, 1)
        self.up_quarter = _blocks(quarter, 1)
        self.from_quarter = nn.Conv2d(quarter, half, 1)
        self.up_half = _blocks(half, 1)
        self.tail = nn.Conv2d(half, 4 * (3 + self.needs.guides), 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias) if self.tail.bias is not None else None
        self.ranges: Ranges = {}
        """See `ranges_of`; they hold for the weights they were measured with, and are forgotten with them."""
        self._int8: InnerInt8 | None = None
        self.register_load_state_dict_post_hook(lambda *_: self.forget_ranges())

    def train(self, mode: bool = True) -> "Lite":
        """As every module; learning changes the weights."""
        if mode:
            self.forget_ranges()
        return super().train(mode)

    def forget_ranges(self) -> None:
        """See `Backbone.forget_ranges`."""
        self.ranges, self._int8 = {}, None

    def deblur(self, frames: Frames, guides: Guides | None, trust: Trust | None) -> Frames:
        """See `Backbone.deblur`; each frame stands alone, so `frame` is one more batch axis."""
        batch = frames.shape[0]
        if guides is None or trust is None:
            guides, trust = frames[:, :, None], torch.zeros_like(frames[:, :, None, :1])
        frame = rearrange(frames, "b f c h w -> (b f) c h w")
        masks = rearrange(trust, "b f g 1 h w -> (b f) g h w")
        # A guide is shown as its difference to the frame, where trusted: no difference means nothing to learn from.
        clues = masks[:, :, None] * (rearrange(guides, "b f g c h w -> (b f) g c h w") - frame[:, None])
        residual, weights = self._heads(torch.cat([frame - 0.5, clues.flatten(1, 2), masks], dim=1))
        sharp = frame + residual
        for guide in range(clues.shape[1]):
            sharp = torch.addcmul(sharp, weights[:, guide, None], clues[:, guide])
        return rearrange(sharp, "(b f) c h w -> b f c h w", b=batch)

    def _heads(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> tuple[Float[Tensor, "batch 3 height width"], Float[Tensor, "batch guide height width"]]:
        head, tail = self.head, self.tail
        if x.shape[1] < 3 + 4 * self.needs.guides:
            head, tail = self._for_one_guide()
        half = self.down_half(head(_unfolded(x)))
        half = self.up_half(half + _double(self._inner(half)))
        out = F.pixel_shuffle(tail(half), 2).float()
        return out[:, :3], out[:, 3:]

    def _inner(self, half: Float[Tensor, "batch channel h w"]) -> Float[Tensor, "batch channel h/2 w/2"]:
        """From the values at half the resolution those that are added to them, at a quarter."""
        if self.ranges and len(half) == 1 and not torch.is_grad_enabled() and computes_int8(half.device):
            self._int8 = self._int8 or InnerInt8(self, self.ranges)
            return self._int8(half)
        quarter = self.down_quarter(self.to_quarter(half))
        eighth = self.bottom(self.to_eighth(quarter))
        return self.from_quarter(self.up_quarter(quarter + _double(self.from_eighth(eighth))))

    def _for_one_guide(self) -> tuple[Convolution, Convolution]:
        """The first and the last layer where one guide stands for all: what they do with each of them, added up."""
        assert self.tail.bias is not None
        guides = self.needs.guides
        seen = rearrange(self.head.weight, "o (c fold) y x -> c o fold y x", fold=4)
        clues = seen[3 : 3 + 3 * guides].unflatten(0, (guides, 3)).sum(dim=0)
        masks = seen[3 + 3 * guides :].sum(dim=0, keepdim=True)
        into = rearrange(torch.cat([seen[:3], clues, masks]), "c o fold y x -> o (c fold) y x")
        made, offset = (
            rearrange(self.tail.weight, "(c fold) i y x -> c fold i y x", fold=4),
            self.tail.bias.unflatten(0, (-1, 4)),
        )
        out, offset = (
            torch.cat([part[:3], part[3:].sum(dim=0, keepdim=True)]).flatten(0, 1) for part in (made, offset)
        )
        return (
            lambda x: F.conv2d(x, into, self.head.bias, padding=1),
            lambda x: F.conv2d(x, out, offset, padding=1),
        )


class _Residual(nn.Module):
    """x + conv(act(conv(x))), the second convolution small at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(0.3)

    def forward(self, x: Float[Tensor, "batch channel h w"]) -> Float[Tensor, "batch channel h w"]:
        return x + self.second(F.leaky_relu(self.first(x), 0.1))


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*[_Residual(width) for _ in range(count)])


def _unfolded(x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch folded h w"]:
    """Four pixels to one, channels last: faster on a CPU, and the layers after it keep the order.

    `F.pixel_unshuffle(x, 2)` gives the same (docs/ablations.md#lite.layout).
    """
    if x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        x = x.to(torch.get_autocast_dtype("cpu"))  # as the first layer would, with less to move
    folded = rearrange(x, "b c (h y) (w x) -> b (c y x) h w", y=2, x=2)
    return folded.contiguous(memory_format=torch.channels_last)


def _double(x: Float[Tensor, "batch channel h w"]) -> Float[Tensor, "batch channel 2*h 2*w"]:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
