"""estrnn: a recurrent cell of dense blocks, and attention over the frames around each (Zhong et al., ECCV 2020)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from selfhvd.backbones.backbone import Backbone, Frames, Guides, Needs, Trust
from selfhvd.backbones.layout import first_side, layout

Maps = Float[Tensor, "batch channel h w"]


@dataclass(frozen=True)
class EstRnnConfig:
    """Size of the network; the default is the published C80B15 with 2.5 million parameters."""

    name: Literal["estrnn"] = "estrnn"
    features: int = 16
    """Channels at full resolution and of the state; the cell's output has five times as many, at 1/4."""
    blocks: int = 15
    """Residual dense blocks of the cell."""
    past: int = 2
    """Frames before each that its output is fused from."""
    future: int = 2
    """Frames after each."""
    colour: Literal["rgb", "bgr"] = "bgr"
    """Order of the channels the weights were trained on: bgr for the authors' own, rgb for those of DaDeblur."""


class EstRnn(Backbone):
    """Every frame runs through the cell with a state; each output is fused from the cell's output for several frames.

    No path leads from the input straight to the output, and no convolution is followed by an activation but for the
    dense layers' GELU. The attention looks at means over the whole picture, so tiles change the output.
    """

    def __init__(self, config: EstRnnConfig = EstRnnConfig()) -> None:
        super().__init__()
        self.config = config
        self.needs = Needs(
            multiple_of=4,
            context=(config.past, config.future),
            window=20,
            causal=config.future == 0,
            colour=config.colour,
            shift=0.5,
            bytes_per_pixel=400,  # 276 were measured for 6 frames, 122 for 20, C80B15 in float32 on a CPU
        )
        self._state_width, self._near = config.features, config.past + 1 + config.future
        self.cell = _Cell(config.features, config.blocks)
        self.recons = _Reconstructor(config.features, self._near)
        self.fusion = _Fusion(5 * config.features, self._near, config.past)

    def deblur(
        self, frames: Frames, guides: Guides | None, trust: Trust | None
    ) -> Float[Tensor, "batch kept 3 height width"]:
        """See `Backbone.deblur`: `past` frames at the start and `future` at the end have no output."""
        batch, _, _, height, width = frames.shape
        state = frames.new_zeros(batch, self._state_width, height // 4, width // 4)
        features: list[Tensor] = []
        for frame in frames.unbind(dim=1):
            feature, state = self.cell(frame, state)
            features.append(feature)
        around = [features[start : start + self._near] for start in range(len(features) - self._near + 1)]
        return torch.stack([self.recons(self.fusion(near)) for near in around], dim=1).to(frames.dtype)

    @classmethod
    def recognised(cls, shapes: Mapping[str, tuple[int, ...]]) -> EstRnnConfig | None:
        """See `Backbone.recognised`.

        Shapes tell how many frames are fused, but not how many of them lie ahead, nor the colour: half of them are
        taken to lie ahead (the odd one too), and bgr.
        """
        first, last = first_side(shapes, "cell.F_B0.weight"), first_side(shapes, "recons.model.0.weight")
        blocks = sum(name.startswith("cell.F_R.RDBs.") and name.endswith(".conv1x1.bias") for name in shapes)
        if not (first and last and blocks):
            return None
        others = max(last // (5 * first) - 1, 0)
        config = EstRnnConfig(features=first, blocks=blocks, past=others // 2, future=others - others // 2)
        return config if layout(cls, config) == dict(shapes) else None


class _Cell(nn.Module):
    """Frame and state in; its features at 1/4 and the next state out."""

    def __init__(self, features: int, blocks: int) -> None:
        super().__init__()
        self.F_B0 = nn.Conv2d(3, features, 5, padding=2)
        self.F_B1 = _DenseDown(features, features, 2 * features)
        self.F_B2 = _DenseDown(2 * features, features * 3 // 2, 4 * features)
        self.F_R = _DenseChain(5 * features, 2 * features, blocks)
        self.F_h = nn.Sequential(
            nn.Conv2d(5 * features, features, 3, padding=1),
            _DenseBlock(features, features),
            nn.Conv2d(features, features, 3, padding=1),
        )

    def forward(
        self, frame: Float[Tensor, "batch 3 height width"], state: Float[Tensor, "batch feature h w"]
    ) -> tuple[Float[Tensor, "batch channel h w"], Float[Tensor, "batch feature h w"]]:
        seen = self.F_B2(self.F_B1(self.F_B0(frame)))
        feature = self.F_R(torch.cat([seen, state], dim=1))
        return feature, self.F_h(feature)


class _Fusion(nn.Module):
    """Global spatio-temporal attention: each frame around is weighted by what it shares with the centre."""

    def __init__(self, width: int, frames: int, centre: int) -> None:
        super().__init__()
        self.centre = centre
        self.F_f = nn.Sequential(
            nn.Linear(2 * width, 4 * width), nn.GELU(), nn.Linear(4 * width, 2 * width), nn.Sigmoid()
        )
        self.F_p = nn.Sequential(nn.Conv2d(2 * width, 4 * width, 1), nn.Conv2d(4 * width, 2 * width, 1))
        self.condense = nn.Conv2d(2 * width, width, 1)
        self.fusion = nn.Conv2d(frames * width, frames * width, 1)

    def forward(self, near: list[Tensor]) -> Maps:
        """`near`: the features of all frames in order of time, the centre among them."""
        centre = near[self.centre]
        others = [self._weighed(centre, other) for place, other in enumerate(near) if place != self.centre]
        return self.fusion(torch.cat([*others, centre], dim=1))

    def _weighed(self, centre: Maps, other: Maps) -> Maps:
        pair = torch.cat([centre, other], dim=1)
        weight = self.F_f(pair.mean(dim=(-2, -1)))[..., None, None]
        return self.condense(weight * self.F_p(pair))


class _Reconstructor(nn.Module):
    """Fused features at 1/4 in, picture out."""

    def __init__(self, features: int, frames: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.ConvTranspose2d(5 * features * frames, 2 * features, 3, stride=2, padding=1, output_padding=1),
            nn.ConvTranspose2d(2 * features, features, 3, stride=2, padding=1, output_padding=1),
            nn.Conv2d(features, 3, 5, padding=2),
        )

    def forward(self, fused: Maps) -> Float[Tensor, "batch 3 4*h 4*w"]:
        return self.model(fused)


class _DenseChain(nn.Module):
    """Dense blocks one after the other; all their outputs are put together."""

    def __init__(self, width: int, growth: int, blocks: int) -> None:
        super().__init__()
        self.RDBs = nn.ModuleList([_DenseBlock(width, growth) for _ in range(blocks)])
        self.conv1x1 = nn.Conv2d(blocks * width, width, 1)
        self.conv3x3 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Maps) -> Maps:
        outputs: list[Tensor] = []
        for block in self.RDBs:
            x = block(x)
            outputs.append(x)
        return self.conv3x3(self.conv1x1(torch.cat(outputs, dim=1)))


class _DenseDown(nn.Module):
    """A dense block, then half the resolution."""

    def __init__(self, width: int, growth: int, out: int) -> None:
        super().__init__()
        self.rdb = _DenseBlock(width, growth)
        self.down_sampling = nn.Conv2d(width, out, 5, stride=2, padding=2)

    def forward(self, x: Maps) -> Float[Tensor, "batch out h_half w_half"]:
        return self.down_sampling(self.rdb(x))


class _DenseBlock(nn.Module):
    """x + conv(three dense layers on x)."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.dense_layers = nn.Sequential(*[_DenseLayer(width + n * growth, growth) for n in range(3)])
        self.conv1x1 = nn.Conv2d(width + 3 * growth, width, 1)

    def forward(self, x: Maps) -> Maps:
        return x + self.conv1x1(self.dense_layers(x))


class _DenseLayer(nn.Module):
    """A convolution whose output is put behind its input."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, growth, 3, padding=1)

    def forward(self, x: Maps) -> Float[Tensor, "batch more h w"]:
        return torch.cat([x, F.gelu(self.conv(x))], dim=1)
