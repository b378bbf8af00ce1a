"""Shelf: what was found on the way to a clip's restored frames, on disk, for whoever needs it next."""

from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Float, UInt16
from torch import Tensor

from selfhvd.errors import OutputError
from selfhvd.system.atomic import replacing

_TOP = 65535
"""Of the codes in which images are kept."""


class Shelf:
    """Arrays by name and frame numbers. Whatever is lost or damaged is as good as never kept: it is made again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, kind: str, *numbers: int) -> list[np.ndarray] | None:
        """What `put` kept; None where there is nothing."""
        try:
            with np.load(self._path(kind, numbers)) as kept:
                return [kept[f"arr_{n}"] for n in range(len(kept.files))]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None

    def put(self, arrays: Sequence[np.ndarray], kind: str, *numbers: int) -> None:
        """Keep arrays, whole or not at all.

        Raises:
            OutputError: there is no room.
        """
        path = self._path(kind, numbers)
        try:
            with replacing(path) as part, part.open("wb") as file:
                np.savez(file, *arrays)
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}); make room and run again.") from error

    def _path(self, kind: str, numbers: tuple[int, ...]) -> Path:
        return self.folder / "-".join([kind, *(f"{number:08d}" for number in numbers)])


def as_codes(image: Float[Tensor, "3 height width"]) -> UInt16[np.ndarray, "3 height width"]:
    """An image in [0, 1] in 16 bits."""
    return image.cpu().clamp(0, 1).mul_(_TOP).round_().to(torch.uint16).numpy()


def in_codes(image: Float[Tensor, "3 height width"]) -> Float[Tensor, "3 height width"]:
    """An image as it comes back from its codes, without leaving its device."""
    return (image.clamp(0, 1) * _TOP).round() / _TOP


def from_codes(codes: UInt16[np.ndarray, "3 height width"]) -> Float[Tensor, "3 height width"]:
    """The image again, to half a 65535th."""
    return torch.from_numpy(codes).to(torch.float32).div_(_TOP)
