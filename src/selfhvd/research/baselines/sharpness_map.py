"""Local sharpness of a whole clip, kept on disk: how much of the clip is sharper than each tile of each frame.

Ours: it stands in for DaDeblur's blur magnitude network, whose weights are not free. It measures v_l (Eq. 1) in tiles
and compares within the clip alone. Rich detail has a greater v_l than a plain wall however blurred it is, so what a
tile lacks against the best seen about there in the frames nearby counts twice: on twelve handheld clips of our making
(60 frames of 480 x 272, of four photos) 77 % of the regions found lie in frames exposed for one instant, which 33 % of
the frames are; 70 % without.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from selfhvd.method.sharp_frames import laplacian_variance
from selfhvd.video.frame_source import Frames

_NEARBY = 10
"""Frames on each side that a tile is compared with."""
_LACK = 2.0
_BINS = 4096
_HIGHEST = 14.0
"""ln(1 + v_l) of the sharpest that 8 bits can be."""

Map = Float[np.ndarray, "rows columns"]


class SoftnessMaps:
    """One map for each frame in an array on disk: 0 = nothing in the clip is sharper than this tile, 1 = everything."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def measured(
        cls, folder: Path, frames: Frames, tile: int, on_frame: Callable[[int, int], None] = lambda done, total: None
    ) -> "SoftnessMaps":
        """Measure every frame of a clip, one after the other; what remains beside the last whole tile is left out."""
        sharpness, softness = folder / "sharpness.npy", folder / "softness.npy"
        for index in range(len(frames)):
            measured = _smooth(np.log1p(tile_sharpness(frames.tensor(index), tile)))
            if index == 0:
                for path in (sharpness, softness):
                    shape = (len(frames), *measured.shape)
                    np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
            _open(sharpness, "r+")[index] = measured
            on_frame(index + 1, len(frames))
        counts = np.zeros(_BINS, np.int64)
        for index in range(len(frames)):
            bins = _bins(_score(sharpness, index))
            _open(softness, "r+")[index] = bins
            counts += np.bincount(bins.ravel(), minlength=_BINS)
        sharper = 1 - np.cumsum(counts) / counts.sum()
        for index in range(len(frames)):
            _open(softness, "r+")[index] = sharper[_open(softness)[index].astype(int)]
        return cls(softness)

    def __len__(self) -> int:
        return len(_open(self.path))

    def __getitem__(self, index: int) -> Map:
        return _open(self.path)[index].copy()


def tile_sharpness(image: Float[Tensor, "3 height width"], tile: int) -> Map:
    """v_l of each `tile` x `tile` square of an image in [0, 1]."""
    rows, columns = image.shape[-2] // tile, image.shape[-1] // tile
    whole = image[:, : rows * tile, : columns * tile]
    tiles = rearrange(whole, "c (r y) (k x) -> (r k) c y x", r=rows, k=columns)
    return laplacian_variance(tiles).view(rows, columns).numpy()


def _score(path: Path, index: int) -> Map:
    """Sharpness less twice what it lacks against the best within one tile and ten frames."""
    nearby = _open(path)[max(0, index - _NEARBY) : index + _NEARBY + 1].max(axis=0)
    own, best = _open(path)[index], cv2.dilate(nearby, np.ones((3, 3), np.uint8))
    return own - _LACK * (best - own)


def _smooth(values: Map) -> Map:
    """Mean of 3 x 3 tiles, so that sharp tiles hang together."""
    return cv2.blur(values, (3, 3))


def _bins(score: Map) -> np.ndarray:
    """Of equal width, from the lowest score there can be to the highest."""
    lowest = -_LACK * _HIGHEST
    return np.clip((score - lowest) * (_BINS / (_HIGHEST - lowest)), 0, _BINS - 1).astype(int)


def _open(path: Path, mode: str = "r") -> np.memmap:
    return np.lib.format.open_memmap(path, mode=mode)  # pyright: ignore[reportArgumentType]
