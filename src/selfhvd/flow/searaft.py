"""SEA-RAFT (Wang, Lipson, Deng, ECCV 2024): recurrent flow that also says how its error is distributed.

Our own writing of the published network (BSD-3-Clause), with its official parameter names, so that official
checkpoints load.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from selfhvd.flow.certainty import CertaintyConfig, certainty, heat
from selfhvd.flow.network import Images, NetworkFlow, cropped, margins, padded, resized
from selfhvd.flow.predictor import Flow
from selfhvd.ops.grid import pixel_grid

_HIDDEN = 128
"""Channels of the recurrent state, and of the context."""
_LEVELS = 4
_RADIUS = 4
"""The look-up sees (2 * radius + 1)² places at each level of the correlation pyramid."""
_BLOCKS: dict[Literal["s", "m"], tuple[int, int, int]] = {"s": (2, 2, 2), "m": (3, 4, 6)}
"""Residual blocks of the encoders at 1/2, 1/4 and 1/8: the beginnings of ResNet-18 and ResNet-34."""


@dataclass(frozen=True)
class SeaRaftConfig:
    """Size of the network and how it is run; `l` of the paper is `m` with 12 iterations."""

    name: Literal["sea-raft"] = "sea-raft"
    size: Literal["s", "m"] = "m"
    iterations: int = 4
    scale: int = 0
    """The search runs at 2^scale of the images' size. The official scripts for Spring say -1, since those frames are
    1920 pixels wide and the weights were trained at 960x540; here `AlignConfig.longest` already reduces."""
    var_min: float = 0.0
    """Least log-scale of the second Laplace distribution; see `heat`."""
    var_max: float = 10.0
    """Greatest log-scale of the first one."""


class Mixture(NamedTuple):
    """A flow, and the distribution of its error: two Laplace distributions a pixel."""

    flow: Float[Tensor, "batch xy=2 height width"]
    """Pixels (x, y)."""
    info: Float[Tensor, "batch 4 height width"]
    """Two logits of their shares, two raw log-scales."""


class _Round(NamedTuple):
    """One round's result, at 1/8 of the searched size."""

    hidden: Float[Tensor, "batch hidden h w"]
    flow: Float[Tensor, "batch xy=2 h w"]
    info: Float[Tensor, "batch 4 h w"]


class SeaRaft(nn.Module):
    """Two images in, flow and its error's distribution out.

    The context network makes a first flow from both images at once; each iteration then looks the flow up in the
    correlation of all pairs of features, and refines it. Sides of the searched images: at least 121 pixels.
    """

    def __init__(self, config: SeaRaftConfig = SeaRaftConfig()) -> None:
        super().__init__()
        self.config = config
        both = 2 * _HIDDEN
        self.cnet = _Encoder(6, _BLOCKS[config.size])
        self.init_conv = nn.Conv2d(both, both, 3, padding=1)
        self.upsample_weight = nn.Sequential(
            nn.Conv2d(_HIDDEN, both, 3, padding=1), nn.ReLU(), nn.Conv2d(both, 9 * 8 * 8, 1)
        )
        self.flow_head = nn.Sequential(
            nn.Conv2d(_HIDDEN, both, 3, padding=1), nn.ReLU(), nn.Conv2d(both, 6, 3, padding=1)
        )
        self.fnet = _Encoder(3, _BLOCKS[config.size])
        self.update_block = _Update()

    def forward(self, first: Images, second: Images) -> Mixture:
        """The last iteration's flow from `first` into `second`, at their size; both RGB in [0, 1]."""
        *_, last = self._rounds(first, second)
        return self._enlarged(last, first)

    def every(self, first: Images, second: Images) -> list[Mixture]:
        """The results of all iterations, the context network's own in front: one more than `iterations`."""
        return [self._enlarged(found, first) for found in self._rounds(first, second)]

    def both(self, first: Images, second: Images) -> tuple[Mixture, Mixture]:
        """First into second and second into first; the features are made once."""
        *_, last = self._rounds(first, second, both_ways=True)
        flow, info = self._enlarged(last, first)
        there, back = (Mixture(*halves) for halves in zip(flow.chunk(2), info.chunk(2), strict=True))
        return there, back

    @classmethod
    def recognised(cls, shapes: Mapping[str, tuple[int, ...]]) -> SeaRaftConfig | None:
        """The configuration of an official checkpoint by its bare names and shapes; None = not a SEA-RAFT.

        Of the twin names of a block's third norm (see `_Block`) either will do. How it is run is not in the file and
        has its defaults.
        """
        found, fitting = _one_name_each(shapes), None
        for size in _BLOCKS:  # the larger one last: `s` is a part of it, key by key
            config = SeaRaftConfig(size=size)
            with torch.device("meta"):
                wanted = _one_name_each({key: tuple(value.shape) for key, value in cls(config).state_dict().items()})
            if all(found.get(key) == shape for key, shape in wanted.items()):
                fitting = config
        return fitting

    def _rounds(self, first: Images, second: Images, both_ways: bool = False) -> Iterator[_Round]:
        a, b = self._prepared(first), self._prepared(second)
        features, others = self.fnet(torch.cat([a, b])).chunk(2)
        if both_ways:
            a, b = torch.cat([a, b]), torch.cat([b, a])
            features, others = torch.cat([features, others]), torch.cat([others, features])
        hidden, context = self.init_conv(self.cnet(torch.cat([a, b], dim=1))).split(_HIDDEN, dim=1)
        flow, info = self.flow_head(hidden).split([2, 4], dim=1)
        yield _Round(hidden, flow, info)
        correlation = _Correlation(features, others)
        for _ in range(self.config.iterations):
            flow = flow.detach()
            hidden = self.update_block(hidden, context, correlation.around(flow), flow)
            step, info = self.flow_head(hidden).split([2, 4], dim=1)
            flow = flow + step
            yield _Round(hidden, flow, info)

    def _searched(self, image: Images) -> tuple[int, int]:
        """Height and width at which the search runs."""
        height, width = image.shape[-2:]
        part = 2.0**self.config.scale
        return max(1, int(height * part)), max(1, int(width * part))

    def _prepared(self, image: Images) -> Float[Tensor, "batch 3 h w"]:
        size = self._searched(image)
        return padded(2 * resized(image, size) - 1, margins(*size))

    def _enlarged(self, found: _Round, image: Images) -> Mixture:
        """From 1/8 to the images' own size: learned weights up to the searched size, then plain resizing."""
        size, (height, width) = self._searched(image), image.shape[-2:]
        weights = 0.25 * self.upsample_weight(found.hidden)
        flow, info = _unfolded(torch.cat([8 * found.flow, found.info], dim=1), weights).split([2, 4], dim=1)
        flow, info = cropped(flow, margins(*size)), cropped(info, margins(*size))
        if size == (height, width):
            return Mixture(flow, info)
        grown = flow.new_tensor([width / size[1], height / size[0]]).view(1, 2, 1, 1)
        return Mixture(grown * resized(flow, (height, width)), F.interpolate(info, (height, width), mode="area"))


class _Block(nn.Module):
    """relu(x + relu(norm(conv(relu(norm(conv(x))))))); where the shape changes, x passes a 1x1 convolution and a norm.

    That norm has two names, `bn3` and `downsample.1`. Files hold both, or one of them only.
    """

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride=stride, padding=1)
        self.conv2 = nn.Conv2d(outer, outer, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(outer)
        self.bn2 = nn.BatchNorm2d(outer)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inner != outer:
            self.bn3 = nn.BatchNorm2d(outer)
            self.downsample = nn.Sequential(nn.Conv2d(inner, outer, 1, stride=stride), self.bn3)
            self.register_load_state_dict_pre_hook(_share_twins)

    def forward(self, x: Float[Tensor, "batch inner h w"]) -> Float[Tensor, "batch outer _ _"]:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu((x if self.downsample is None else self.downsample(x)) + y)


_TWINS = ("downsample.1.", "bn3.")


def _share_twins(_: nn.Module, state: dict[str, Any], prefix: str, *__: object) -> None:
    """Give the twin name that a file lacks what the other one has."""
    for name, other in (_TWINS, _TWINS[::-1]):
        for key in [key for key in state if key.startswith(prefix + other)]:
            state.setdefault(prefix + name + key.removeprefix(prefix + other), state[key])


def _one_name_each(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """One of the twin names, without the counters, which nothing depends on."""
    return {k.replace(*_TWINS): v for k, v in shapes.items() if not k.endswith("num_batches_tracked")}


class _Encoder(nn.Module):
    """An image, or two on top of one another, to features at 1/8 of its size."""

    def __init__(self, channels: int, blocks: tuple[int, int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _layer(64, 64, blocks[0], stride=1)
        self.layer2 = _layer(64, 128, blocks[1], stride=2)
        self.layer3 = _layer(128, 256, blocks[2], stride=2)
        self.final_conv = nn.Conv2d(256, 2 * _HIDDEN, 1)

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch feature h w"]:
        half = F.relu(self.bn1(self.conv1(x)))
        return self.final_conv(self.layer3(self.layer2(self.layer1(half))))


def _layer(inner: int, outer: int, count: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_Block(inner, outer, stride), *[_Block(outer, outer, 1) for _ in range(count - 1)])


class _Correlation:
    """Products of every feature of one image with every one of another, which is also halved three times."""

    def __init__(self, first: Float[Tensor, "batch feature h w"], second: Float[Tensor, "batch feature h w"]) -> None:
        self.levels: list[Float[Tensor, "places 1 _ _"]] = []
        for _ in range(_LEVELS):
            products = torch.einsum("bcij,bckl->bijkl", first, second) / first.shape[1] ** 0.5
            self.levels.append(products.flatten(0, 2)[:, None])
            second = F.avg_pool2d(second, 2)

    def around(self, flow: Float[Tensor, "batch xy=2 h w"]) -> Float[Tensor, "batch looked h w"]:
        """What each pixel finds in a square around the place its flow leads to, at every level."""
        batch, _, height, width = flow.shape
        centre = rearrange(pixel_grid(height, width, like=flow) + flow, "b xy h w -> (b h w) 1 1 xy")
        # The first axis of the square moves x, the second y.
        steps = torch.arange(-_RADIUS, _RADIUS + 1, device=flow.device, dtype=flow.dtype)
        square = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1)
        seen: list[Tensor] = []
        for level, products in enumerate(self.levels):
            last = flow.new_tensor([products.shape[-1] - 1, products.shape[-2] - 1])
            points = 2 * (centre / 2**level + square) / last - 1
            seen.append(F.grid_sample(products, points, align_corners=True).flatten(1))
        return rearrange(torch.cat(seen, dim=1), "(b h w) looked -> b looked h w", b=batch, h=height)


class _Update(nn.Module):
    """One refinement of the hidden state."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _Motion()
        self.refine = nn.ModuleList([_ConvNext(3 * _HIDDEN, _HIDDEN) for _ in range(2)])

    def forward(
        self,
        hidden: Float[Tensor, "batch hidden h w"],
        context: Float[Tensor, "batch hidden h w"],
        looked: Float[Tensor, "batch looked h w"],
        flow: Float[Tensor, "batch xy=2 h w"],
    ) -> Float[Tensor, "batch hidden h w"]:
        motion = self.encoder(flow, looked)
        for block in self.refine:
            hidden = block(torch.cat([hidden, context, motion], dim=1))
        return hidden


class _Motion(nn.Module):
    """The flow and what was looked up for it, as features."""

    def __init__(self) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(_LEVELS * (2 * _RADIUS + 1) ** 2, 256, 1)
        self.convc2 = nn.Conv2d(256, 192, 3, padding=1)
        self.convf1 = nn.Conv2d(2, 128, 7, padding=3)
        self.convf2 = nn.Conv2d(128, 64, 3, padding=1)
        self.conv = nn.Conv2d(192 + 64, _HIDDEN - 2, 3, padding=1)

    def forward(
        self, flow: Float[Tensor, "batch xy=2 h w"], looked: Float[Tensor, "batch looked h w"]
    ) -> Float[Tensor, "batch hidden h w"]:
        matches = F.relu(self.convc2(F.relu(self.convc1(looked))))
        moves = F.relu(self.convf2(F.relu(self.convf1(flow))))
        return torch.cat([F.relu(self.conv(torch.cat([matches, moves], dim=1))), flow], dim=1)


class _ConvNext(nn.Module):
    """A ConvNeXt block with its residual, then a 1x1 convolution to `outer` channels."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((inner,), 1e-6))
        self.dwconv = nn.Conv2d(inner, inner, 7, padding=3, groups=inner)
        self.norm = nn.LayerNorm(inner, eps=1e-6)
        self.pwconv1 = nn.Linear(inner, 4 * outer)
        self.pwconv2 = nn.Linear(4 * outer, inner)
        self.final = nn.Conv2d(inner, outer, 1)

    def forward(self, x: Float[Tensor, "batch inner h w"]) -> Float[Tensor, "batch outer h w"]:
        y = self.norm(self.dwconv(x).movedim(1, -1))
        y = self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))
        return self.final(x + y.movedim(-1, 1))


def _unfolded(
    coarse: Float[Tensor, "batch channel h w"], weights: Float[Tensor, "batch 9*8*8 h w"]
) -> Float[Tensor, "batch channel 8*h 8*w"]:
    """Each pixel becomes 8x8, every one a mean of its nine coarse neighbours, weighted by a softmax."""
    height, width = coarse.shape[-2:]
    share = rearrange(weights, "b (near up left) h w -> b 1 near up left h w", near=9, up=8).softmax(dim=2)
    near = rearrange(F.unfold(coarse, 3, padding=1), "b (c near) (h w) -> b c near 1 1 h w", near=9, h=height, w=width)
    return rearrange((share * near).sum(dim=2), "b c up left h w -> b c (h up) (w left)")


class SeaRaftFlow(NetworkFlow):
    """Flow by SEA-RAFT, with U from its mixture (Eq. 4).

    Args:
        network: with weights.
        certainty: how its heat map becomes U.
    """

    def __init__(self, network: SeaRaft, certainty: CertaintyConfig = CertaintyConfig()) -> None:
        super().__init__(network)
        self.searaft, self.certainty = network, certainty
        self.name = f"{network.config.name}-{network.config.size}"
        self.least_side = round(128 / 2.0**network.config.scale)

    def search(self, first: Images, second: Images) -> Flow:
        """See `NetworkFlow`."""
        return self._sure(self.searaft(first, second))

    def search_both(self, first: Images, second: Images) -> tuple[Flow, Flow]:
        """See `NetworkFlow`; the features are made once."""
        there, back = self.searaft.both(first, second)
        return self._sure(there), self._sure(back)

    def _sure(self, found: Mixture) -> Flow:
        config = self.searaft.config
        return Flow(found.flow, certainty(heat(found.info, config.var_min, config.var_max), self.certainty))
