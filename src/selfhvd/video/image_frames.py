"""Frames read from image files when they are asked for."""

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from selfhvd.errors import InputError
from selfhvd.video.frame import Frame, as_tensor
from selfhvd.video.limits import Limits
from selfhvd.video.read.images import read_image


class ImageFrames:
    """Image files as `Frames`; nothing is kept in memory."""

    def __init__(self, paths: tuple[Path, ...], *, alike: bool = False) -> None:
        """`alike`: a file of another size than the first is an error when it is read."""
        self.paths = paths
        self._shape: tuple[int, ...] | None = None
        if alike:
            self._shape = self.frame(0).shape

    def __len__(self) -> int:
        return len(self.paths)

    def frame(self, index: int) -> Frame:
        """RGB, 8 or 16 bits; `InputError` if the file cannot be read."""
        image = read_image(self.paths[index], Limits())
        if self._shape not in (None, image.shape):
            raise InputError(f"{self.paths[index]} is of another size than {self.paths[0].name}; make them alike.")
        return image

    def tensor(self, index: int) -> Float[Tensor, "3 height width"]:
        """RGB in [0, 1], float32; `InputError` if the file cannot be read."""
        return as_tensor(self.frame(index))
