"""Ren et al. 2020, "Video Deblurring by Fitting to Test Data": sharp frames of the clip, blurred by random kernels.

Theirs, known for certain: sharp frames by the variance of the Laplacian and Otsu, of the whole clip and of each
segment; a network trained per clip on these frames blurred with random motion kernels; single frames, so nothing
holds neighbouring outputs together. There is no code of theirs. Derived: the kernels (see `kernels`), and that they
are laid on the values as stored, as such kernels were used at the time. Ours: `linear_light`, crops as elsewhere in
this project, and any network in the place of theirs (`hypercolumn`). Nothing looks at a truth, and there is no choice
among steps: the last one is kept.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.extensions.selection import Selection
from selfhvd.ops.light import GAMMA
from selfhvd.research.baselines.kernels import KernelConfig, random_kernel
from selfhvd.research.baselines.pairs import ALL, Pair, Pairs, Share, Turn, crop_side, without_guides
from selfhvd.research.baselines.scale import relative_size
from selfhvd.video.frame_source import Frames


@dataclass(frozen=True)
class RenConfig:
    """How the pairs are made."""

    crop: int = 256
    """Pixels a side, where the frame allows."""
    size: int = 2
    """Windows a batch."""
    window: int = 1
    """Frames a window. The method sees single frames: in a longer window every frame is the same one."""
    guides: int = 0
    """Guides that the network takes; they show the frame itself and are not trusted."""
    kernel: KernelConfig = KernelConfig()
    fit_to_frame: bool = True
    """Whether the kernels are scaled with the frames: by their shorter side over 720."""
    linear_light: bool = False
    """Blur linear light (gamma 2.2), as a lens does, instead of the stored values."""


class RandomBlur(Pairs):
    """Crops of the clip's sharp frames as targets, the same blurred by a random kernel as input."""

    def __init__(
        self,
        frames: Frames,
        selection: Selection,
        config: RenConfig = RenConfig(),
        seed: int = 0,
        share: Share = ALL,
    ) -> None:
        super().__init__(config.size, seed, share)
        self.frames, self.sharp, self.config = frames, selection.sharp, config
        self.height, self.width = self.frames.tensor(self.sharp[0]).shape[-2:]
        fit = relative_size(self.height, self.width) if config.fit_to_frame else 1.0
        self.kernel = replace(config.kernel, scale=config.kernel.scale * fit)

    def pair(self, rng: np.random.Generator) -> Pair:
        """See `Pairs`."""
        sharp = self.frames.tensor(self.sharp[int(rng.integers(len(self.sharp)))])
        side = crop_side(self.config.crop, self.height, self.width)
        top, left = int(rng.integers(self.height - side + 1)), int(rng.integers(self.width - side + 1))
        blurry = blurred(sharp, random_kernel(rng, self.kernel), top, left, side, self.config.linear_light)
        turn = Turn.drawn(rng)
        target = turn(sharp[:, top : top + side, left : left + side])
        shown = turn(blurry).expand(self.config.window, -1, -1, -1)
        guides, trust = without_guides(shown, self.config.guides)
        return Pair(shown, guides, trust, target.expand_as(shown), torch.ones(self.config.window))


def blurred(
    image: Float[Tensor, "3 height width"],
    kernel: Float[np.ndarray, "rows columns"],
    top: int,
    left: int,
    side: int,
    linear_light: bool = False,
) -> Float[Tensor, "3 side side"]:
    """A square crop of `image` convolved with `kernel`, which sees what lies around the crop; [0, 1].

    Beyond the image's own borders it is mirrored.
    """
    height, width = image.shape[-2:]
    reach = max(kernel.shape) // 2
    first_row, first_column = max(top - reach, 0), max(left - reach, 0)
    around = image[:, first_row : min(top + side + reach, height), first_column : min(left + side + reach, width)]
    planes = np.ascontiguousarray(around.permute(1, 2, 0).numpy())
    planes = planes**GAMMA if linear_light else planes
    # OpenCV correlates; a convolution is that with the kernel turned about.
    smeared = cv2.filter2D(planes, -1, kernel[::-1, ::-1].copy(), borderType=cv2.BORDER_REFLECT_101).clip(0, 1)
    smeared = smeared ** (1 / GAMMA) if linear_light else smeared
    rows, columns = (
        slice(top - first_row, top - first_row + side),
        slice(left - first_column, left - first_column + side),
    )
    return torch.from_numpy(np.ascontiguousarray(smeared[rows, columns])).permute(2, 0, 1).contiguous()
