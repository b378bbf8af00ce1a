"""basicvsrpp: BasicVSR++ for deblurring (Chan et al., CVPR 2022), features carried four times through the clip.

Two strided convolutions bring the frames to a quarter of their size. Four branches, backward and forward in turn, carry
features from frame to frame; each aligns the features of the two frames before by deformable convolution whose offsets
start at the optical flow. What all branches made of a frame is reconstructed and added to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from selfhvd.backbones.backbone import Backbone, Frames, Guides, Needs, Trust
from selfhvd.backbones.initial import zeroed
from selfhvd.backbones.layout import first_side, layout
from selfhvd.backbones.spynet import SpyNet
from selfhvd.ops.deform import bounded, neighbourhoods, precise, rows_at_once, sample_guided
from selfhvd.ops.warp import warp


@dataclass(frozen=True)
class BasicVsrPpConfig:
    """Size of the network; the default is the published deblurring network, 9.8 million parameters."""

    name: Literal["basicvsrpp"] = "basicvsrpp"
    mid_channels: int = 64
    """Channels of all features."""
    num_blocks: int = 15
    """Residual blocks of each branch."""
    max_residue_magnitude: float = 10.0
    """Pixels, at a quarter of the resolution, by which an offset may differ from the flow."""
    deform_groups: int = 16
    """Groups of channels with offsets of their own; half of them look at the last frame, half at the one before it."""
    least_side: int = 256
    """Pixels below which a frame is enlarged; the published network accepts no fewer, the arithmetic does."""
    start: Literal["identity", "published"] = "identity"
    """How it begins untrained. identity: the last convolution is silent, so that it gives its input back; published:
    that one is drawn as any other, and residual blocks by a tenth of He's rule."""


Features = Float[Tensor, "batch channel h w"]
FlowField = Float[Tensor, "batch xy=2 h w"]

_BRANCHES = ("backward_1", "forward_1", "backward_2", "forward_2")
_SHRINK = 4
_HEAD_WIDTH = 64
_END_BLOCKS = 5


class BasicVsrPp(Backbone):
    """The published arithmetic under the official key names (mmedit's `basicvsr_plusplus`, without `generator.`)."""

    def __init__(self, config: BasicVsrPpConfig = BasicVsrPpConfig()) -> None:
        super().__init__()
        self.config = config
        self.needs = Needs(
            multiple_of=_SHRINK,
            least_side=config.least_side,
            window=20,
            bytes_per_pixel=300,  # 225 were measured for 6 frames, 148 for 20, in float32 on a CPU
            starts_as_identity=config.start == "identity",
        )
        width = config.mid_channels
        self.spynet = SpyNet("mmedit")
        self.feat_extract = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            _Refinement(width, width, _END_BLOCKS),
        )
        self.deform_align = nn.ModuleDict({branch: _Alignment(config) for branch in _BRANCHES})
        self.backbone = nn.ModuleDict(
            {branch: _Refinement((n + 2) * width, width, config.num_blocks) for n, branch in enumerate(_BRANCHES)}
        )
        self.reconstruction = _Refinement((len(_BRANCHES) + 1) * width, width, _END_BLOCKS)
        self.upsample1 = _Doubling(width, width)
        self.upsample2 = _Doubling(width, _HEAD_WIDTH)
        self.conv_hr = nn.Conv2d(_HEAD_WIDTH, _HEAD_WIDTH, 3, padding=1)
        self.conv_last = nn.Conv2d(_HEAD_WIDTH, 3, 3, padding=1)
        if config.start == "identity":
            zeroed(self.conv_last)
        else:
            self.apply(_drawn_small)
        self.to(memory_format=torch.channels_last)

    def flow_parameters(self) -> list[nn.Parameter]:
        """See `Backbone.flow_parameters`."""
        return list(self.spynet.parameters())

    def deblur(self, frames: Frames, guides: Guides | None, trust: Trust | None) -> Frames:
        """See `Backbone.deblur`; height and width are multiples of 4."""
        small = F.interpolate(frames.flatten(0, 1), scale_factor=1 / _SHRINK, mode="bicubic", align_corners=False)
        to_next, to_previous = self.spynet.neighbours(small.unflatten(0, frames.shape[:2]))
        clip = [_channels_last(frame) for frame in frames.unbind(dim=1)]
        # What is known of each frame: its own features, then those of every branch so far.
        known = [[self.feat_extract(frame)] for frame in clip]
        for branch in _BRANCHES:
            if branch.startswith("backward"):
                self._carry(branch, known[::-1], to_next[::-1])
            else:
                self._carry(branch, known, to_previous)
        return torch.stack([frame + self._residual(trail) for frame, trail in zip(clip, known, strict=True)], dim=1)

    def _carry(self, branch: str, known: list[list[Features]], flows: list[FlowField]) -> None:
        """Append the branch's features to what is known of each frame, in the branch's order of time.

        `flows[n]` leads from frame n + 1 of that order back to frame n.
        """
        carried = before = torch.zeros_like(known[0][0])
        for n, trail in enumerate(known):
            aligned = carried
            if n:
                flow = flows[n - 1]
                # Second order: the frame before the last is reached through the last one (Section 3.1).
                further = flow + warp(flows[n - 2], flow) if n > 1 else torch.zeros_like(flow)
                aligned = self.deform_align[branch](trail[0], carried, before, flow, further)
                before = carried
            carried = aligned + self.backbone[branch](torch.cat([*trail, aligned], dim=1))
            trail.append(carried)

    def _residual(self, trail: list[Features]) -> Float[Tensor, "batch 3 height width"]:
        x = self.reconstruction(torch.cat(trail, dim=1))
        x = F.leaky_relu(self.upsample1(x), 0.1, inplace=True)
        x = F.leaky_relu(self.upsample2(x), 0.1, inplace=True)
        x = F.leaky_relu(self.conv_hr(x), 0.1, inplace=True)
        return self.conv_last(x)

    @classmethod
    def recognised(cls, shapes: Mapping[str, tuple[int, ...]]) -> BasicVsrPpConfig | None:
        """See `Backbone.recognised`. Shapes do not tell the greatest residue: the published one is taken."""
        width = first_side(shapes, "feat_extract.0.weight")
        groups = first_side(shapes, "deform_align.backward_1.conv_offset.6.bias") // 27
        blocks = sum(name.startswith("backbone.backward_1.main.2.") and name.endswith("conv1.bias") for name in shapes)
        if not (width and groups and blocks):
            return None
        config = BasicVsrPpConfig(mid_channels=width, num_blocks=blocks, deform_groups=groups)
        return config if layout(cls, config) == dict(shapes) else None


class _Alignment(nn.Module):
    """Flow-guided deformable alignment (Section 3.2): a 3x3 convolution whose taps lie where flow and offsets say."""

    def __init__(self, config: BasicVsrPpConfig) -> None:
        super().__init__()
        width = config.mid_channels
        self.groups, self.reach = config.deform_groups, config.max_residue_magnitude
        self.weight = nn.Parameter(torch.empty(width, 2 * width, 3, 3))
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        self.conv_offset = nn.Sequential(
            nn.Conv2d(3 * width + 4, width, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            zeroed(nn.Conv2d(width, 3 * 9 * config.deform_groups, 3, padding=1)),
        )

    def forward(
        self, current: Features, last: Features, before: Features, flow: FlowField, further: FlowField
    ) -> Features:
        """`last` by `flow` and `before`, the frame before it, by `further`, both onto the grid of `current`."""
        sources = precise(last).contiguous(), precise(before).contiguous()
        views = [warp(precise(last), flow), current, warp(precise(before), further)]
        seen = torch.cat([*views, flow, further], dim=1)
        places = torch.stack([neighbourhoods(flow), neighbourhoods(further)])
        rows = rows_at_once(flow, values=9 * last.shape[1])
        stripes = zip(self.conv_offset(seen).split(rows, dim=-2), places.split(rows, dim=-2), strict=True)
        return _channels_last(torch.cat([self._convolved(sources, *stripe) for stripe in stripes], dim=-2))

    def _convolved(
        self,
        sources: tuple[Features, Features],
        seen: Float[Tensor, "batch _ rows w"],
        places: Float[Tensor, "source=2 batch tap xy=2 rows w"],
    ) -> Float[Tensor, "batch out rows w"]:
        """Some rows of the output. `seen` holds the offsets of both sources, then their masks."""
        offsets, masks = precise(seen).contiguous().split([18 * self.groups, 9 * self.groups], dim=1)
        offsets = bounded(offsets, self.reach).chunk(2, dim=1)
        masks = rearrange(masks.sigmoid(), "b (source g tap) h w -> source b g 1 tap h w", source=2, tap=9)
        output = self.bias[:, None, None]
        for source, place, offset, mask, weight in zip(
            sources, places, offsets, masks, self.weight.chunk(2, dim=1), strict=True
        ):
            columns = sample_guided(source, place, offset) * mask
            output = output + F.conv2d(columns.flatten(1, 3), weight.flatten(1)[..., None, None])
        return output


class _Refinement(nn.Module):
    """A convolution to `width` channels, then residual blocks."""

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Sequential(*[_Residual(width) for _ in range(blocks)]),
        )

    def forward(self, x: Features) -> Float[Tensor, "batch out h w"]:
        return self.main(x)


class _Residual(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Features) -> Features:
        return x + self.conv2(F.relu(self.conv1(x), inplace=True))


def _drawn_small(module: nn.Module) -> None:
    """A residual block's convolutions by a tenth of He's rule, without bias."""
    if isinstance(module, _Residual):
        for convolution in (module.conv1, module.conv2):
            nn.init.kaiming_normal_(convolution.weight)
            with torch.no_grad():
                convolution.weight.mul_(0.1)
                convolution.bias.zero_()  # pyright: ignore[reportOptionalMemberAccess]


class _Doubling(nn.Module):
    """Twice the resolution by unfolding channels."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.upsample_conv = nn.Conv2d(channels, 4 * width, 3, padding=1)

    def forward(self, x: Features) -> Float[Tensor, "batch out 2*h 2*w"]:
        return F.pixel_shuffle(self.upsample_conv(x), 2)


def _channels_last(x: Features) -> Features:
    """The order in memory in which convolutions are quickest."""
    return x.contiguous(memory_format=torch.channels_last)
