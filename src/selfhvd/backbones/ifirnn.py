"""ifirnn: a small recurrent network that refines its state several times a frame (Nah et al., CVPR 2019)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfhvd.backbones.backbone import Backbone, Frames, Guides, Needs, Trust
from selfhvd.backbones.layout import first_side, layout

Maps = Float[Tensor, "batch channel h w"]
State = Float[Tensor, "batch state h w"]
Seen = Float[Tensor, "batch seen h w"]


@dataclass(frozen=True)
class IfiRnnConfig:
    """Size of the network; the default is C2H3, two cells and three iterations, with 1.6 million parameters."""

    name: Literal["ifirnn"] = "ifirnn"
    width: int = 20
    """Channels of the state and at full resolution; twice as many at 1/2, three times as many at 1/4."""
    blocks: int = 6
    """Residual blocks of each cell."""
    iterations: int = 3
    """Times the second cell runs on each frame; the last makes the picture."""
    colour: Literal["rgb", "bgr"] = "bgr"
    """Order of the channels the weights were trained on; the public training code reads bgr."""


class IfiRnn(Backbone):
    """Each frame updates the state by the first cell, then by the second cell several times.

    Only earlier frames are used. No path leads from the input straight to the output, and nothing but the residual
    blocks has an activation.
    """

    def __init__(self, config: IfiRnnConfig = IfiRnnConfig()) -> None:
        super().__init__()
        self.config = config
        self.needs = Needs(
            multiple_of=4,
            window=20,
            causal=True,
            colour=config.colour,
            shift=0.5,
            bytes_per_pixel=200,  # 121 were measured for 6 frames, 54 for 20, C2H3 in float32 on a CPU
        )
        self._state_width, self._iterations = config.width, config.iterations
        self.rnncell0 = _Cell(config.width, config.blocks, picture=False)
        self.rnncell1 = _Cell(config.width, config.blocks, picture=True)

    def deblur(self, frames: Frames, guides: Guides | None, trust: Trust | None) -> Frames:
        """See `Backbone.deblur`."""
        batch, _, _, height, width = frames.shape
        state = frames.new_zeros(batch, self._state_width, height // 4, width // 4)
        sharp: list[Tensor] = []
        for frame in frames.unbind(dim=1):
            _, state = self.rnncell0(self.rnncell0.F_B(frame), state)
            seen, inner = self.rnncell1.F_B(frame), state
            for _ in range(self._iterations):
                inner, state = self.rnncell1(seen, state)
            sharp.append(self.rnncell1.F_L(inner))
        return torch.stack(sharp, dim=1).to(frames.dtype)

    @classmethod
    def recognised(cls, shapes: Mapping[str, tuple[int, ...]]) -> IfiRnnConfig | None:
        """See `Backbone.recognised`. Shapes do not tell the iterations nor the colour: those of C2H3 are taken."""
        first = first_side(shapes, "rnncell0.F_B.0.weight")
        blocks = sum(name.startswith("rnncell0.F_R.") and name.endswith(".main_branch.0.bias") for name in shapes)
        if not (first and blocks):
            return None
        config = IfiRnnConfig(width=first, blocks=blocks)
        return config if layout(cls, config) == dict(shapes) else None


class _Cell(nn.Module):
    """What is seen of a frame at 1/4, and the state, in; inner features and the next state out.

    `F_B` makes the first from the frame; the cell that is to make the picture has `F_L`, from inner features.
    """

    def __init__(self, width: int, blocks: int, picture: bool) -> None:
        super().__init__()
        self.F_B = nn.Sequential(
            nn.Conv2d(3, width, 5, padding=2),
            nn.Conv2d(width, 2 * width, 5, stride=2, padding=2),
            nn.Conv2d(2 * width, 3 * width, 5, stride=2, padding=2),
        )
        self.F_R = nn.Sequential(*[_Residual(4 * width) for _ in range(blocks)])
        if picture:
            self.F_L = nn.Sequential(
                nn.ConvTranspose2d(4 * width, 2 * width, 3, stride=2, padding=1, output_padding=1),
                nn.ConvTranspose2d(2 * width, width, 3, stride=2, padding=1, output_padding=1),
                nn.Conv2d(width, 3, 5, padding=2),
            )
        self.F_h = nn.Sequential(
            nn.Conv2d(4 * width, width, 3, padding=1), _Residual(width), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, seen: Seen, state: State) -> tuple[Maps, State]:
        inner = self.F_R(torch.cat([seen, state], dim=1))
        return inner, self.F_h(inner)


class _Residual(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.main_branch = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, x: Maps) -> Maps:
        return x + self.main_branch(x)
