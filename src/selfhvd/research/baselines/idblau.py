"""ID-Blau (Wu et al., CVPR 2024): a diffusion network that blurs a sharp picture as a blur condition says.

Theirs: base width 64, multipliers (1, 2, 3), two residual blocks a level, time embedding of 256, neither attention nor
normalisation, SiLU; noisy picture, sharp picture and condition in, noise out; T = 2000, β linear from 1e-6 to 1e-2,
20 steps of DDIM, values in [-0.5, 0.5], the condition as unit vector and length / 205, at most 1. Derived: how the
blocks are joined, which is the usual denoising U-Net; so joined it has the published 9.50 million weights. Tensor names
are ours, and its order of additions may not be theirs. No weights come with this project: theirs have no licence.
"""

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from selfhvd.errors import WeightsError
from selfhvd.research.baselines.blur_condition import BlurCondition
from selfhvd.research.baselines.ddim import Schedule, ddim

_WIDTHS = (64, 128, 192)
_BLOCKS = 2
_TIME = 256
_COARSEST = 2 ** (len(_WIDTHS) - 1)
LONGEST = 205.0
"""Pixels of blur that the condition can say."""

Maps = Float[Tensor, "batch channel h w"]


class IdBlau(nn.Module):
    """The noise in a blurry picture, given the sharp one and the condition; sides must be multiples of 4."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(_WIDTHS[0], _TIME), nn.SiLU(), nn.Linear(_TIME, _TIME))
        self.head = nn.Conv2d(9, _WIDTHS[0], 3, padding=1)
        self.down, self.smaller = nn.ModuleList(), nn.ModuleList()
        self.up, self.larger = nn.ModuleList(), nn.ModuleList()
        width, kept = _WIDTHS[0], [_WIDTHS[0]]
        for level, wanted in enumerate(_WIDTHS):
            for _ in range(_BLOCKS):
                self.down.append(_Block(width, wanted))
                width = wanted
                kept.append(width)
            if level + 1 < len(_WIDTHS):
                self.smaller.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                kept.append(width)
        self.bottom = nn.ModuleList([_Block(width, width), _Block(width, width)])
        for level, wanted in reversed(list(enumerate(_WIDTHS))):
            for _ in range(_BLOCKS + 1):
                self.up.append(_Block(width + kept.pop(), wanted))
                width = wanted
            if level:
                self.larger.append(nn.Conv2d(width, width, 3, padding=1))
        self.tail = nn.Conv2d(width, 3, 3, padding=1)

    def forward(
        self,
        noisy: Float[Tensor, "batch 3 height width"],
        sharp: Float[Tensor, "batch 3 height width"],
        condition: Float[Tensor, "batch 3 height width"],
        time: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch 3 height width"]:
        """Pictures in [-0.5, 0.5] as far as noise lets them; `time` from 0 to T - 1."""
        moment = self.time(_waves(time, _WIDTHS[0]).to(noisy))
        x = self.head(torch.cat([noisy, sharp, condition], dim=1))
        kept = [x]
        for place, block in enumerate(self.down):
            x = block(x, moment)
            kept.append(x)
            if place % _BLOCKS == _BLOCKS - 1 and place // _BLOCKS < len(self.smaller):
                x = self.smaller[place // _BLOCKS](x)
                kept.append(x)
        for block in self.bottom:
            x = block(x, moment)
        for place, block in enumerate(self.up):
            x = block(torch.cat([x, kept.pop()], dim=1), moment)
            if place % (_BLOCKS + 1) == _BLOCKS and place // (_BLOCKS + 1) < len(self.larger):
                x = self.larger[place // (_BLOCKS + 1)](F.interpolate(x, scale_factor=2.0))
        return self.tail(F.silu(x))


class _Block(nn.Module):
    """Two convolutions, the time added in between, and a way round."""

    def __init__(self, width: int, wanted: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, wanted, 3, padding=1)
        self.time = nn.Linear(_TIME, wanted)
        self.second = nn.Conv2d(wanted, wanted, 3, padding=1)
        self.around = nn.Identity() if width == wanted else nn.Conv2d(width, wanted, 1)

    def forward(self, x: Maps, moment: Float[Tensor, "batch time"]) -> Float[Tensor, "batch wanted h w"]:
        inner = self.first(F.silu(x)) + self.time(F.silu(moment))[..., None, None]
        return self.around(x) + self.second(F.silu(inner))


def _waves(time: Int[Tensor, " batch"], width: int) -> Float[Tensor, "batch width"]:
    """Sines and cosines of the time, wavelengths from 2π to 2π · 10000 (Vaswani et al. 2017)."""
    rates = torch.exp(-math.log(10000) * torch.arange(width // 2, device=time.device) / (width // 2))
    angles = time[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class DiffusionReblur:
    """A `Reblur` by ID-Blau, on whole frames; it runs where its network lies.

    Args:
        network: with weights; see `load_idblau`.
        steps: of DDIM (DaDeblur: 20).
    """

    name = "diffusion"

    def __init__(self, network: IdBlau, steps: int = 20, schedule: Schedule = Schedule()) -> None:
        self.network, self.steps, self.schedule = network.eval().requires_grad_(False), steps, schedule

    @torch.no_grad()
    def __call__(
        self, image: Float[Tensor, "batch 3 height width"], condition: BlurCondition, seed: int
    ) -> Float[Tensor, "batch 3 height width"]:
        """See `Reblur`; the noise it starts from is drawn on the CPU, so that it is the same on every device."""
        height, width = image.shape[-2:]
        like = next(self.network.parameters())
        sharp, told = _fitted(image.to(like) - 0.5), _fitted(condition_channels(condition).to(like))
        noise = torch.randn(sharp.shape, generator=torch.Generator().manual_seed(seed)).to(like)
        blurry = ddim(noise, lambda x, time: self.network(x, sharp, told, time), self.schedule, self.steps)
        return (blurry[..., :height, :width].clamp(-0.5, 0.5) + 0.5).to(image)


def condition_channels(condition: BlurCondition) -> Float[Tensor, "batch 3 height width"]:
    """(u_x, u_y, length / 205 but at most 1)."""
    return torch.cat([condition.direction, (condition.length / LONGEST).clamp(max=1)], dim=1)


def _fitted(image: Float[Tensor, "batch 3 h w"]) -> Float[Tensor, "batch 3 height width"]:
    """Repeat the last rows and columns until the sides are multiples of the coarsest pixel."""
    height, width = image.shape[-2:]
    return F.pad(image, (0, -width % _COARSEST, 0, -height % _COARSEST), mode="replicate")


def load_idblau(path: Path) -> IdBlau:
    """ID-Blau with the user's weights, a safetensors file with the names of `IdBlau`'s own tensors.

    Raises:
        WeightsError: there is no such file, it cannot be read, or it does not fit.
    """
    network = IdBlau()
    if not path.is_file():
        raise WeightsError(f"{path} does not exist; the diffusion re-blur needs weights of ID-Blau that you bring.")
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path} does not hold weights of ID-Blau under the names of selfhvd.research.baselines.idblau.IdBlau;"
            " rename its tensors, or use the motion re-blur, which needs none."
        ) from error
    return network.eval()
