"""Frames read from image files when they are asked for."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.video.images import read_image
from selfhvd.video.limits import Limits


class ImageFrames:
    """Image files as `Frames`; nothing is kept in memory."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def tensor(self, index: int) -> Float[Tensor, "3 height width"]:
        """RGB in [0, 1], float32, from 8 or 16 bits; `InputError` if the file cannot be read."""
        image = read_image(self.paths[index], Limits())
        white = 255.0 if image.dtype == np.uint8 else 65535.0
        return torch.from_numpy(image.astype(np.float32) / white).permute(2, 0, 1).contiguous()
