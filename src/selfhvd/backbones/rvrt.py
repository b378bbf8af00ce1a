"""rvrt: the recurrent video restoration transformer for deblurring (Liang et al., NeurIPS 2022).

What single frames are to BasicVSR++, clips of two frames are here: four branches, backward and forward in turn, carry
features from clip to clip. By guided deformable attention each frame looks at the two frames of the clip before, around
where the optical flow points; attention inside windows of a clip does the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from selfhvd.backbones.backbone import Backbone, Frames, Guides, Needs, Trust
from selfhvd.backbones.initial import zeroed
from selfhvd.backbones.layout import first_side, layout
from selfhvd.backbones.spynet import SpyNet
from selfhvd.ops.deform import bounded, neighbourhoods, precise, rows_at_once, sample_guided
from selfhvd.ops.grid import pixel_grid
from selfhvd.ops.warp import warp


@dataclass(frozen=True)
class RvrtConfig:
    """Size of the network; the default is the published deblurring network, 13.6 million parameters."""

    name: Literal["rvrt"] = "rvrt"
    width: int = 192
    """Channels of all features."""
    blocks: tuple[int, int, int] = (1, 2, 1)
    """Groups of layers in the feature extraction, in each branch and in the reconstruction."""
    depth: int = 2
    """Layers of a group; every second one has its windows shifted."""
    heads: int = 6
    """Heads of the attention inside windows."""
    deform_groups: int = 12
    """Groups of channels with offsets of their own, half of them for keys and half for values."""
    deform_heads: int = 12
    """Heads of the attention between clips."""
    max_residue_magnitude: float = 10.0
    """Pixels, at a quarter of the resolution, by which an offset may differ from the flow."""
    least_side: int = 132
    """Pixels below which a frame is enlarged; the published network accepts no fewer, the arithmetic does."""


Features = Float[Tensor, "image channel h w"]
"""Of clips, the two frames of each next to each other."""
FlowField = Float[Tensor, "batch xy=2 h w"]
Tokens = Float[Tensor, "batch frame height width channel"]

_BRANCHES = ("backward_1", "forward_1", "backward_2", "forward_2")
_CLIP = 2
_SHRINK = 4
_WINDOW = 8
_NARROW = 64


class _Paths(NamedTuple):
    """Flow from the two frames of a clip into the two frames of the clip before."""

    same: Float[Tensor, "image xy=2 h w"]
    """First into first, second into second."""
    other: Float[Tensor, "image xy=2 h w"]
    """First into second, second into first."""


class Rvrt(Backbone):
    """The published arithmetic under the official key names; frames come in pairs."""

    def __init__(self, config: RvrtConfig = RvrtConfig()) -> None:
        super().__init__()
        self.config = config
        self.needs = Needs(
            multiple_of=_WINDOW,
            least_side=config.least_side,
            multiple_of_frames=_CLIP,
            window=16,
            bytes_per_pixel=1000,  # 817 were measured for 6 frames, 622 for 16, in float32 on a CPU
            starts_as_identity=True,
        )
        width = config.width
        at_start, in_branch, at_end = config.blocks
        self.spynet = SpyNet("basicsr")
        # The gaps in the names are where the official network has layers without weights.
        self.feat_extract = nn.ModuleDict(
            {
                "1": _Convolution(3, width, 3, stride=2),
                "3": _Convolution(width, width, 3, stride=2),
                "6": _Stage(config, at_start, frames=1, inputs=1),
            }
        )
        self.backbone = nn.ModuleDict(
            {branch: _Stage(config, in_branch, frames=_CLIP, inputs=n + 2) for n, branch in enumerate(_BRANCHES)}
        )
        self.deform_align = nn.ModuleDict({branch: _Alignment(config) for branch in _BRANCHES})
        self.reconstruction = _Stage(config, at_end, frames=1, inputs=len(_BRANCHES) + 1)
        self.conv_before_upsampler = nn.ModuleDict({"0": _Convolution(width, _NARROW, 1)})
        self.upsampler = nn.ModuleDict(
            {
                "0": _Convolution(_NARROW, 4 * _NARROW, 3),
                "5": _Convolution(_NARROW, 4 * _NARROW, 3),
                "10": _Convolution(_NARROW, _NARROW, 3),
            }
        )
        self.conv_last = zeroed(_Convolution(_NARROW, 3, 3))

    def flow_parameters(self) -> list[nn.Parameter]:
        """See `Backbone.flow_parameters`."""
        return list(self.spynet.parameters())

    def deblur(self, frames: Frames, guides: Guides | None, trust: Trust | None) -> Frames:
        """See `Backbone.deblur`; height and width are multiples of 4, the number of frames is even."""
        small = F.interpolate(frames.flatten(0, 1), scale_factor=1 / _SHRINK, mode="bicubic", align_corners=False)
        to_next, to_previous = self.spynet.neighbours(small.unflatten(0, frames.shape[:2]))
        paths = {"backward": _paths(to_next[::-1]), "forward": _paths(to_previous)}
        clips = [clip.flatten(0, 1) for clip in frames.split(_CLIP, dim=1)]
        # What is known of each clip: its own features, then those of every branch so far.
        known = [[self._shallow(clip)] for clip in clips]
        for branch in _BRANCHES:
            direction, _ = branch.split("_")
            order = known[::-1] if direction == "backward" else known
            paths[direction] = self._carry(branch, order, paths[direction])
        sharp = [clip + self._residual(trail) for clip, trail in zip(clips, known, strict=True)]
        return torch.cat([clip.unflatten(0, (-1, _CLIP)) for clip in sharp], dim=1)

    def _shallow(self, clip: Float[Tensor, "image 3 height width"]) -> Features:
        x = clip.contiguous(memory_format=torch.channels_last)
        x = F.leaky_relu(self.feat_extract["1"](x), 0.1)
        x = F.leaky_relu(self.feat_extract["3"](x), 0.1)
        return self.feat_extract["6"](x)

    def _carry(self, branch: str, known: list[list[Features]], paths: list[_Paths]) -> list[_Paths]:
        """Append the branch's features to what is known of each clip, in its order of time; the paths it found better.

        `paths[n]` leads from clip n + 1 of that order back to clip n.
        """
        turned = _turned if branch.startswith("backward") else _as_is
        past = carried = torch.zeros_like(known[0][0])
        better: list[_Paths] = []
        for n, trail in enumerate(known):
            seen = [turned(x) for x in trail]
            aligned = carried
            if n:
                aligned, found = self.deform_align[branch](seen[-1], past, carried, paths[n - 1])
                better.append(found)
            past, carried = seen[-1], aligned + self.backbone[branch](torch.cat([*seen, aligned], dim=1))
            trail.append(turned(carried))
        return better

    def _residual(self, trail: list[Features]) -> Float[Tensor, "image 3 height width"]:
        x = self.reconstruction(torch.cat(trail, dim=1))
        x = F.leaky_relu(self.conv_before_upsampler["0"](x), 0.1)
        for place in ("0", "5"):
            x = F.leaky_relu(F.pixel_shuffle(self.upsampler[place](x), 2), 0.1)
        return self.conv_last(self.upsampler["10"](x))

    @classmethod
    def recognised(cls, shapes: Mapping[str, tuple[int, ...]]) -> RvrtConfig | None:
        """See `Backbone.recognised`.

        Shapes do not tell the heads of the attention between clips nor the greatest residue: the published are taken.
        """
        layers = ".main.5.0.residual_group.blocks."
        config = RvrtConfig(
            width=first_side(shapes, "feat_extract.1.weight"),
            blocks=(
                _count(shapes, "feat_extract.6.main.5.", ".linear.bias"),
                _count(shapes, "backbone.backward_1.main.5.", ".linear.bias"),
                _count(shapes, "reconstruction.main.5.", ".linear.bias"),
            ),
            depth=_count(shapes, "reconstruction" + layers, ".norm1.bias"),
            heads=(*shapes.get(f"reconstruction{layers}0.attn.relative_position_bias_table", ()), 0, 0)[1],
            deform_groups=first_side(shapes, "deform_align.backward_1.conv_offset.10.bias") // 36,
        )
        known = config.width and all(config.blocks) and config.depth and config.heads and config.deform_groups
        return config if known and layout(cls, config) == dict(shapes) else None


class _Alignment(nn.Module):
    """Guided deformable attention: each pixel of a clip looks at 3x3 displaced places in each frame of the clip before.

    Queries and keys come from what the previous branch made of the two clips, values from this branch (Section 3.3).
    """

    def __init__(self, config: RvrtConfig) -> None:
        super().__init__()
        width, inner = config.width, 2 * config.width
        self.heads, self.reach = config.deform_heads, config.max_residue_magnitude
        self.proj_q = nn.ModuleDict({"1": nn.Linear(width, inner)})
        self.proj_k = nn.ModuleDict({"1": nn.Linear(width, inner)})
        self.proj_v = nn.ModuleDict({"1": nn.Linear(width, inner)})
        self.mlp = nn.ModuleDict({"1": _Perceptron(width)})
        middle = [layer for _ in range(4) for layer in (_Convolution(_NARROW, _NARROW, 3), nn.LeakyReLU(0.1))]
        last = _Convolution(_NARROW, 2 * 9 * 2 * config.deform_groups, 1)
        self.conv_offset = nn.Sequential(
            _Convolution(3 * width + 4, _NARROW, 1), nn.LeakyReLU(0.1), *middle, zeroed(last)
        )
        self.proj = nn.ModuleDict({"1": nn.Linear(inner, width)})

    def forward(self, current: Features, past: Features, carried: Features, paths: _Paths) -> tuple[Features, _Paths]:
        """What `carried`, the branch's features of the clip before, gives to the current one; and the paths it took.

        `current` and `past` are what the previous branch made of this clip and of the one before.
        """
        views = [warp(precise(x), path) for x, path in zip((carried, _turned(carried)), paths, strict=True)]
        offsets = self.conv_offset(torch.cat([current, *views, *paths], dim=1))
        offsets = bounded(precise(offsets), self.reach).contiguous()
        queries = precise(_per_pixel(self.proj_q["1"], current)).contiguous()
        memory = torch.cat([_per_pixel(self.proj_k["1"], past), _per_pixel(self.proj_v["1"], carried)], dim=1)
        memory = precise(memory).contiguous()
        sources = memory, _turned(memory)
        places = torch.stack([neighbourhoods(path) for path in paths])
        rows = rows_at_once(current, values=2 * 9 * memory.shape[1])
        stripes = zip(*(x.split(rows, dim=-2) for x in (queries, offsets, places)), strict=True)
        found = torch.cat([self._looked_up(sources, *stripe) for stripe in stripes], dim=-2)
        output = _per_pixel(self.proj["1"], found)
        return output + _per_pixel(self.mlp["1"], output), _moved(paths, offsets)

    def _looked_up(
        self,
        sources: tuple[Features, Features],
        queries: Float[Tensor, "image inner rows w"],
        offsets: Float[Tensor, "image source_group_tap_yx rows w"],
        places: Float[Tensor, "source=2 image tap xy=2 rows w"],
    ) -> Float[Tensor, "image inner rows w"]:
        """Some rows of the attention's output; `sources` hold keys, then values."""
        taken = [sample_guided(*each) for each in zip(sources, places, offsets.chunk(2, dim=1), strict=True)]
        keys, values = [
            rearrange(part, "b g c tap h w -> b (g c) tap h w").unflatten(1, (self.heads, -1))
            for part in torch.cat(taken, dim=3).chunk(2, dim=1)
        ]
        queries = queries.unflatten(1, (self.heads, -1))[:, :, :, None]
        scores = (queries * keys).sum(dim=2, keepdim=True) * queries.shape[2] ** -0.5
        return (scores.softmax(dim=3) * values).sum(dim=3).flatten(1, 2)


class _Stage(nn.Module):
    """A convolution to `width` channels, then groups of window attention; normalised before and after these."""

    def __init__(self, config: RvrtConfig, groups: int, frames: int, inputs: int) -> None:
        super().__init__()
        width = config.width
        self.frames = frames
        self.main = nn.ModuleDict(
            {
                "1": _Convolution(inputs * width, width, 3, groups=1 if inputs == 1 else 3),
                "3": nn.LayerNorm(width),
                "5": nn.Sequential(*[_Group(config, frames) for _ in range(groups)]),
                "7": nn.LayerNorm(width),
            }
        )

    def forward(self, x: Features) -> Float[Tensor, "image width h w"]:
        x = rearrange(self.main["1"](x), "(b d) c h w -> b d h w c", d=self.frames)
        x = self.main["7"](self.main["5"](self.main["3"](x)))
        return rearrange(x, "b d h w c -> (b d) c h w")


class _Group(nn.Module):
    """x + linear(layers of attention on x)."""

    def __init__(self, config: RvrtConfig, frames: int) -> None:
        super().__init__()
        layers = [_Layer(config, frames, shifted=n % 2 == 1) for n in range(config.depth)]
        self.residual_group = nn.ModuleDict({"blocks": nn.Sequential(*layers)})
        self.linear = nn.Linear(config.width, config.width)

    def forward(self, x: Tokens) -> Tokens:
        return x + self.linear(self.residual_group["blocks"](x))


class _Layer(nn.Module):
    """Attention inside windows, then a perceptron for each pixel, both added to what they are given."""

    def __init__(self, config: RvrtConfig, frames: int, shifted: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width)
        self.attn = _WindowAttention(config.width, config.heads, frames, shifted)
        self.norm2 = nn.LayerNorm(config.width)
        self.mlp = _Perceptron(config.width)

    def forward(self, x: Tokens) -> Tokens:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class _WindowAttention(nn.Module):
    """Self-attention inside windows of 8x8 pixels and all frames, with a bias for each relative position (Swin)."""

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int, frames: int, shifted: bool) -> None:
        super().__init__()
        self.heads, self.frames, self.shifted = heads, frames, shifted
        self.relative_position_bias_table = nn.Parameter(
            nn.init.trunc_normal_(torch.empty((2 * frames - 1) * (2 * _WINDOW - 1) ** 2, heads), std=0.02)
        )
        self.register_buffer("relative_position_index", _relative_positions(frames))
        self.qkv_self = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tokens) -> Tokens:
        """Any height and width; zeros fill up the last windows."""
        height, width = x.shape[2:4]
        x = F.pad(x, (0, 0, 0, -width % _WINDOW, 0, -height % _WINDOW))
        # Where one window covers a side there is nothing to shift.
        shift = [_WINDOW // 2 if self.shifted and side > _WINDOW else 0 for side in x.shape[2:4]]
        x = self._attended(x.roll([-s for s in shift], dims=(2, 3)), *shift)
        return x.roll(shift, dims=(2, 3))[:, :, :height, :width]

    def _attended(self, x: Tokens, down: int, right: int) -> Tokens:
        """`down` and `right` tell by how much the frame was rolled."""
        windows = rearrange(
            self.qkv_self(x),
            "b t (nh wh) (nw ww) (qkv head c) -> qkv b nh nw head (t wh ww) c",
            qkv=3,
            wh=_WINDOW,
            ww=_WINDOW,
            head=self.heads,
        )
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        mixed = torch.empty_like(windows[0])
        # Only the last row and column of windows hold pixels that the roll brought together from opposite borders.
        for rows, below in _parts(down):
            for columns, beside in _parts(right):
                part = windows[:, :, rows, columns]
                q, k, v = part.flatten(1, 3)
                mask = bias.masked_fill(self._strangers(below, beside, bias), -torch.inf)
                attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[None].to(q.dtype))
                mixed[:, rows, columns] = attended.unflatten(0, part.shape[1:4])
        mixed = rearrange(mixed, "b nh nw head (t wh ww) c -> b t (nh wh) (nw ww) (head c)", wh=_WINDOW, ww=_WINDOW)
        return self.proj(mixed)

    def _strangers(self, down: int, right: int, like: Tensor) -> Bool[Tensor, "token token"]:
        """Which pixels of a window are not neighbours: its last rows or columns were rolled in from elsewhere."""
        x, y = pixel_grid(_WINDOW, _WINDOW, like)
        origin = 2 * (y >= _WINDOW - down) + 1 * (x >= _WINDOW - right)
        origin = origin.flatten().repeat(self.frames)
        return origin[:, None] != origin


class _Perceptron(nn.Module):
    """Two linear layers, twice as wide in between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 2 * width)
        self.fc2 = nn.Linear(2 * width, width)

    def forward(self, x: Float[Tensor, "*pixel width"]) -> Float[Tensor, "*pixel width"]:
        return self.fc2(F.gelu(self.fc1(x)))


class _Convolution(nn.Conv3d):
    """A convolution inside frames; only its weights have an axis of time."""

    def __init__(self, channels: int, out: int, side: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, out, (1, side, side), (1, stride, stride), (0, side // 2, side // 2), groups=groups)

    def forward(self, input: Float[Tensor, "image channel height width"]) -> Float[Tensor, "image out h w"]:
        stride, padding = self.stride[1], self.padding[1]
        return F.conv2d(input, self.weight[:, :, 0], self.bias, stride, padding, groups=self.groups)


def _per_pixel(module: nn.Module, x: Float[Tensor, "batch channel h w"]) -> Float[Tensor, "batch out h w"]:
    """A module for channels in the last axis."""
    return rearrange(module(rearrange(x, "b c h w -> b h w c")), "b h w c -> b c h w")


def _turned(x: Float[Tensor, "image channel h w"]) -> Float[Tensor, "image channel h w"]:
    """The two frames of each clip in the opposite order."""
    return x.unflatten(0, (-1, _CLIP)).flip(1).flatten(0, 1)


def _as_is(x: Features) -> Features:
    return x


def _paths(steps: list[FlowField]) -> list[_Paths]:
    """From each clip but the first into the clip before; `steps[n]` leads from frame n + 1 to frame n."""
    paths: list[_Paths] = []
    for before, between, inside in zip(steps[::2], steps[1::2], steps[2::2], strict=False):
        first_to_first = _chained(between, before)
        second_to_second, second_to_first = _chained(inside, between), _chained(inside, first_to_first)
        same = torch.stack([first_to_first, second_to_second], dim=1)
        other = torch.stack([between, second_to_first], dim=1)
        paths.append(_Paths(same.flatten(0, 1), other.flatten(0, 1)))
    return paths


def _chained(first: FlowField, second: FlowField) -> FlowField:
    """Flow through a picture in the middle."""
    return first + warp(second, first)


def _moved(paths: _Paths, offsets: Float[Tensor, "image source_group_tap_yx h w"]) -> _Paths:
    """The paths moved by the mean of the offsets from them, which are stored as (y, x)."""
    means = [half.unflatten(1, (-1, 2)).mean(dim=1).flip(1) for half in offsets.chunk(2, dim=1)]
    return _Paths(paths.same + means[0], paths.other + means[1])


def _parts(shift: int) -> list[tuple[slice, int]]:
    """Windows along one side whose attention has the same mask, and how many of their pixels were rolled in."""
    return [(slice(None, -1), 0), (slice(-1, None), shift)] if shift else [(slice(None), 0)]


def _relative_positions(frames: int) -> Int[Tensor, "token token"]:
    """The row of the table of biases for each pair of pixels of a window."""
    axes = [torch.arange(side) for side in (frames, _WINDOW, _WINDOW)]
    places = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)
    t, y, x = places[:, :, None] - places[:, None]
    reach = 2 * _WINDOW - 1
    return ((t + frames - 1) * reach + y + _WINDOW - 1) * reach + x + _WINDOW - 1


def _count(shapes: Mapping[str, tuple[int, ...]], start: str, end: str) -> int:
    """How many names have nothing but a number between the two."""
    return sum(n.startswith(start) and n.endswith(end) and n[len(start) : -len(end)].isdigit() for n in shapes)
