"""Inference: one call of the network on a window of frames, in tiles that fit the memory, over mirrored views."""

import logging

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.backbones.backbone import Backbone
from selfhvd.errors import DeviceError
from selfhvd.method.align import Guides
from selfhvd.ops.tiles import tiled
from selfhvd.restore.config import RestoreConfig
from selfhvd.system.device import convolving
from selfhvd.system.memory import free_bytes, is_out_of_memory, tile_side

log = logging.getLogger(__name__)

_LEAST_OVERLAP, _MOST_OVERLAP = 32, 128
"""Pixels that neighbouring tiles share, blended: an eighth of a tile, at most about as far as `lite` looks."""
LARGE_FRAME, _LARGE_TILE = 5_000_000, 2200
"""Pixels beyond which a frame is restored in tiles, of so many a side, however much memory there is: 4K in two."""
_LEAST_TILE = 128
"""Pixels a side; where memory runs out even so, the run ends."""
Views = tuple[tuple[int, ...], ...]
"""Axes to flip of each view."""
MIRRORS: Views = ((), (-2, -1), (-1,), (-2,))
"""None, both, left-right, up-down."""


class Inference:
    """A network with its device, number format and size of tiles, which is chosen at the first call."""

    def __init__(self, network: Backbone, config: RestoreConfig) -> None:
        self.network, self.config = network, config
        self.device = next(network.parameters()).device
        self._tile: int | None = None
        self._tile_chosen = False

    def __call__(
        self, clip: list[Float[Tensor, "3 height width"]], guides: list[Guides | None], views: Views = ((),)
    ) -> list[Float[Tensor, "3 height width"]]:
        """The restored frames of a window, each with what guides it; the mean over `views`."""
        given = [g for g in guides if g is not None]
        parts = [clip, [g.images for g in given], [g.trust for g in given]] if given else [clip]
        images = [torch.stack(part)[None] if len(part) > 1 else part[0][None, None] for part in parts]
        restored = self._in_tiles(images, views)[0].float().clamp(0, 1)
        if restored.device.type == "cpu" and restored.sum().isfinite():
            return list(restored)
        # A value that is not finite must not reach the file: the input is the last resort.
        return list(torch.where(restored.isfinite(), restored, images[0][0]))

    def _in_tiles(self, images: list[Tensor], views: Views) -> Float[Tensor, "batch frame 3 height width"]:
        """The averaged views, on tiles as large as memory allows."""
        height, width = images[0].shape[-2:]
        if not self._tile_chosen:
            self._choose_tile(images[0].shape[1], height, width)
        while True:
            try:
                return tiled(lambda cut: self._average(cut, views), images, self._tile, self._overlap)
            except RuntimeError as error:
                smaller = (self._tile or max(height, width)) // 2
                if not is_out_of_memory(error):
                    raise
                if smaller < _LEAST_TILE:
                    raise DeviceError(
                        f"Memory ran out even with tiles of {self._tile} pixels; free some, or choose the device cpu."
                    ) from error
                log.warning("memory ran out: going on with tiles of %d pixels", smaller)
            self._tile = smaller

    @property
    def _overlap(self) -> int:
        """Of neighbouring tiles: small ones would be mostly border else."""
        return min(_MOST_OVERLAP, max(_LEAST_OVERLAP, (self._tile or _LARGE_TILE) // 8))

    def _choose_tile(self, frames: int, height: int, width: int) -> None:
        needed, free = self.network.needs.bytes_per_pixel, free_bytes(self.device)
        most = _LARGE_TILE if self.device.type == "cpu" and height * width > LARGE_FRAME else None
        fits = tile_side(height, width, frames, needed, free, _LEAST_TILE)
        self._tile = self.config.tile or (min(fits, most) if fits and most else fits or most)
        self._tile_chosen = True
        if self._tile:
            log.info("frames of %dx%d are restored in tiles of %d pixels", width, height, self._tile)

    def _average(self, images: list[Tensor], views: Views) -> Float[Tensor, "batch frame 3 height width"]:
        with convolving(self.device, self.config.bfloat16):
            return torch.stack([self._mirrored(images, axes) for axes in views]).mean(dim=0)

    def _mirrored(self, images: list[Tensor], axes: tuple[int, ...]) -> Tensor:
        """The network's output for a mirrored view, mirrored back."""
        if not axes:
            return self.network(*images)
        return self.network(*[image.flip(axes) for image in images]).flip(axes)
