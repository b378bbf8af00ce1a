"""Restore: frames in, sharper frames out, window by window; nothing holds the whole clip."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfhvd.backbones.backbone import Backbone
from selfhvd.device import convolving
from selfhvd.errors import DeviceError
from selfhvd.flow.predictor import FlowPredictor
from selfhvd.frames import Frames, RecentFrames
from selfhvd.memory import free_bytes, is_out_of_memory, tile_side
from selfhvd.method.align import AlignConfig, Aligned, Guides, align_both
from selfhvd.method.fuse import fused_guides
from selfhvd.method.sharp import Selection, Which
from selfhvd.method.steady import steadied
from selfhvd.ops.sharpness import laplacian_variance
from selfhvd.ops.tiles import tiled
from selfhvd.ops.windows import blend_weights, windows

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RestoreConfig:
    """How the trained network is applied."""

    rounds: int = 1
    """Times the guides are aligned, 1 or more: onto the blurry frame, then onto the round's output (Eq. 3 aligns R_i).
    One, for where the flow finds the path of the exposure a second round loses (docs/ablations.md#restore.rounds)."""
    each_side: int = 3
    """Sharp frames before a frame, and as many after it, that are aligned onto it in the last round and fused to its
    guides (`fused_guides`); more cost time and gain little (docs/ablations.md#restore.each_side)."""
    ensemble: int = 1
    """Mirrored views (1, 2 or 4) whose outputs are averaged in the last round; the network's part of the time grows as
    much."""
    steadiness: float = 0.0
    """Part of each frame that each of the restored frames beside it gives (`steadied`), in [0, 0.5); 0 = each frame
    stands alone. Against flicker, for one more alignment a frame (docs/ablations.md#restore.steadiness)."""
    restored_guides: bool = False
    """Restore the sharp frames first, and show those beside the blurry ones; only for networks that take single frames.
    A sharp frame that this made clearly sharper was blurred, and is restored once more like the others
    (docs/ablations.md#restore.restored_guides)."""
    guided: bool = True
    """Show the network sharp frames beside each frame, where it takes any; off only for baselines that have none."""
    which: Which = "blurry"
    """`blurry`: frames that are not blurred come back untouched; `auto`: they do where little around them is blurred;
    `all`: none does. `auto` is for the base weights, which take noise and coding marks off sharp frames, too
    (docs/ablations.md#restore.which)."""
    overlap: int = 4
    """Frames that neighbouring windows share, blended; only for networks that look at several frames, which lose at the
    seams (docs/ablations.md#restore.overlap)."""
    bfloat16: bool = True
    """Convolve in bf16 where the device computes in it; elsewhere it is slower (docs/ablations.md#restore.bfloat16)."""
    window: int | None = None
    """Frames restored at once; None = as many as the network likes."""
    tile: int | None = None
    """Pixels a side of the tiles in which a frame is restored; None = as large as the free memory allows."""

    @property
    def kept_guides(self) -> int:
        """Restored sharp frames in memory: those that guide a frame, and itself; with fewer each is restored often."""
        return 2 * self.each_side + 1 if self.restored_guides else 0


_TILE_OVERLAP = 32
"""Pixels that neighbouring tiles share, blended."""
_LEAST_TILE = 128
_MORE = 1
"""So many sharp frames more on each side of a sharp frame that is restored first: it guides others, too."""
_NOT_BLURRED = 0.9
"""Part of its restored self's sharpness (v_l at half the size) that a sharp frame has at least; one with less was
blurred itself (docs/ablations.md#restore._NOT_BLURRED)."""
Views = tuple[tuple[int, ...], ...]
"""Axes to flip of each view."""
_MIRRORS: Views = ((), (-2, -1), (-1,), (-2,))
"""None, both, left-right, up-down."""


class Restorer:
    """D(B; Θ) applied at native resolution, with guides, padding and windows."""

    def __init__(
        self,
        network: Backbone,
        frames: Frames,
        selection: Selection,
        predictor: FlowPredictor,
        align: AlignConfig = AlignConfig(),
        config: RestoreConfig = RestoreConfig(),
    ) -> None:
        self.network, self.frames, self.selection = network, RecentFrames(frames), selection
        self.predictor, self.align, self.config = predictor, align, config
        self._left = selection.left(config.which)
        self._device = next(network.parameters()).device
        self._window = min(network.needs.window, config.window or network.needs.window)
        self._guided = config.guided and network.needs.guides > 0
        single = self._guided and self._window == 1
        self._restored_first = config.restored_guides and single
        self._guiding = RecentFrames(_Guiding(self), config.kept_guides) if self._restored_first else self.frames
        self._last, self._outputs = (0, 0), list[Tensor]()
        self._tile: int | None = None
        self._tile_chosen = False

    def __iter__(self) -> Iterator[Float[Tensor, "3 height width"]]:
        """Every frame in order, RGB in [0, 1], on the CPU."""
        return self.since(0)

    def since(self, first: int) -> Iterator[Float[Tensor, "3 height width"]]:
        """The same from frame `first` on, to the bit as if the frames before had been asked for too."""
        amounts = [1.0, self.selection.noise] if self.selection.noise else [1.0]
        amounts = amounts if self.config.steadiness else []
        # Without those before it a frame is blended wrongly: each pass is one more.
        begin = max(0, first - len(amounts))
        frames = self._alone(begin)
        for amount in amounts:
            frames = self._steadied(frames, begin, amount)
        return islice(frames, first - begin, None)

    def _steadied(
        self, frames: Iterator[Float[Tensor, "3 height width"]], first: int, amount: float
    ) -> Iterator[Float[Tensor, "3 height width"]]:
        """Each of `frames`, the first of them number `first`, as far as `amount` blended with those beside it."""
        before: Aligned | None = None
        held: Tensor | None = None
        for index, frame in enumerate(frames, start=first):
            if held is not None:
                after, behind = self._beside(index, held, frame)
                yield held.lerp(self._blended(index - 1, held, before, after), amount)
                before = behind
            held = frame
        if held is not None:
            yield held.lerp(self._blended(len(self.frames) - 1, held, before, None), amount)

    @torch.inference_mode()
    def _beside(
        self, index: int, previous: Float[Tensor, "3 height width"], frame: Float[Tensor, "3 height width"]
    ) -> tuple[Aligned | None, Aligned | None]:
        """Frame `index` on the grid of the frame before it, and the other way; nothing where neither may change."""
        if self._stands(index - 1) and self._stands(index):
            return None, None
        previous, frame = previous.to(self._device), frame.to(self._device)
        return align_both(previous[None], frame[None], self.predictor, self.align)

    @torch.inference_mode()
    def _blended(
        self, index: int, frame: Float[Tensor, "3 height width"], *beside: Aligned | None
    ) -> Float[Tensor, "3 height width"]:
        if self._stands(index):
            return frame
        there = [neighbour for neighbour in beside if neighbour is not None]
        noise, sharp = self.selection.noise, self.selection.is_sharp(index)
        return steadied(frame.to(self._device), there, self.config.steadiness, noise, sharp).cpu()

    def _alone(self, first: int) -> Iterator[Float[Tensor, "3 height width"]]:
        """The frames before they are steadied."""
        if self._window == 1:
            for index in range(first, len(self.frames)):
                yield self._single(index)
            return
        overlap = min(self.config.overlap, self._window // 2)
        ranges = list(windows(len(self.frames), self._window, overlap))
        tail: list[Tensor] = []
        for n, (start, end) in enumerate(ranges):
            shared_after = overlap if n + 1 < len(ranges) else 0
            if end <= first:
                # Nothing of this window is asked for; the next one only adds to its head.
                tail = [torch.zeros_like(self.frames.tensor(0))] * shared_after
                continue
            weight = blend_weights(end - start, len(tail), shared_after)
            parts = [w * frame for w, frame in zip(weight, self.window(start, end), strict=True)]
            for place, held in enumerate(tail):
                parts[place] = parts[place] + held
            ready = len(parts) - shared_after
            for place in range(ready):
                index = start + place
                if index >= first:
                    yield self.frames.tensor(index) if self._left[index] else parts[place]
            tail = parts[ready:]

    def _single(self, index: int) -> Float[Tensor, "3 height width"]:
        """Frame `index` of a network that takes single frames."""
        if self._left[index]:
            return self.frames.tensor(index)
        if self._restored_first and self.selection.is_sharp(index):
            restored = self._guiding.tensor(index)  # from frames as they came
            if _half_v_l(self.frames.tensor(index)) >= _NOT_BLURRED * _half_v_l(restored):
                return restored
        return self.window(index, index + 1)[0]

    def frame(self, index: int) -> Float[Tensor, "3 height width"]:
        """The output D(B)_i for one frame, from a window with it inside, without the copying of sharp frames.

        The last window is kept: asked for frame by frame in order, each window is computed once. The network must not
        be trained in between.
        """
        start, end = self._last
        margin = min(self.config.overlap, (self._window - 1) // 2)
        first, last = start + margin * (start > 0), end - margin * (end < len(self.frames))
        if not first <= index < last:
            self._last = start, end = self._ahead(index, margin)
            self._outputs = self.window(start, end)
        return self._outputs[index - start]

    @torch.inference_mode()
    def window(self, start: int, end: int) -> list[Float[Tensor, "3 height width"]]:
        """D(B) for frames `start` to `end` (exclusive)."""
        return self._restored(start, end, self._guiding, self.config.each_side)

    def _restored(self, start: int, end: int, source: Frames, each_side: int) -> list[Float[Tensor, "3 height width"]]:
        """The same, the guides made of frames of `source`."""
        clip = [self.frames.tensor(i).to(self._device) for i in range(start, end)]
        output = clip
        rounds = self.config.rounds if self._guided else 1
        for turn in range(rounds):
            near, views = (each_side, self.config.ensemble) if turn + 1 == rounds else (1, 1)
            guides = [self._guides(n, frame, near, source) for n, frame in enumerate(output, start=start)]
            output = self._apply(clip, guides, _MIRRORS[:views])
        return [frame.cpu() for frame in output]

    @torch.inference_mode()
    def instead(self, index: int, image: Float[Tensor, "3 height width"]) -> Float[Tensor, "3 height width"]:
        """What would come out for frame `index` if it looked like `image`; for trials."""
        start, end = self._around(index)
        clip = [(image if i == index else self.frames.tensor(i)).to(self._device) for i in range(start, end)]
        guides = [self._guides(start + n, frame, 1, self.frames) for n, frame in enumerate(clip)]
        return self._apply(clip, guides)[index - start].cpu()

    def _around(self, index: int) -> tuple[int, int]:
        """The window in which frame `index` stands as far from the ends as can be."""
        return self._ahead(index, self._window // 2)

    def _ahead(self, index: int, margin: int) -> tuple[int, int]:
        """The window that begins `margin` frames before frame `index`, moved to lie inside the clip."""
        start = max(0, min(index - margin, len(self.frames) - self._window))
        return start, min(start + self._window, len(self.frames))

    @torch.inference_mode()
    def guiding(self, index: int) -> Float[Tensor, "3 height width"]:
        """Sharp frame `index` as it guides others: restored from frames as they came, unless it is handed through."""
        if self._left[index]:
            return self.frames.tensor(index)
        return self._restored(index, index + 1, self.frames, self.config.each_side + _MORE)[0]

    def _guides(
        self, index: int, output: Float[Tensor, "3 height width"], each_side: int, source: Frames
    ) -> Guides | None:
        """What sharp frames around frame `index` show of it."""
        if not self._guided:
            return None
        numbers = self.selection.around(index, each_side)
        return fused_guides(output, source, numbers, self.network.needs.guides, self.predictor, self.align)

    def _apply(
        self, clip: list[Float[Tensor, "3 height width"]], guides: list[Guides | None], views: Views = ((),)
    ) -> list[Float[Tensor, "3 height width"]]:
        images = [torch.stack(clip)[None]]
        given = [g for g in guides if g is not None]
        if given:
            images += [torch.stack([g.images for g in given])[None], torch.stack([g.trust for g in given])[None]]
        restored = self._in_tiles(images, views)[0].float().clamp(0, 1)
        # A value that is not finite must not reach the file: the input is the last resort.
        return list(torch.where(restored.isfinite(), restored, images[0][0]))

    def _in_tiles(self, images: list[Tensor], views: Views) -> Float[Tensor, "batch frame 3 height width"]:
        """The averaged views, on tiles as large as memory allows."""
        frames, (height, width) = images[0].shape[1], images[0].shape[-2:]
        if not self._tile_chosen:
            self._tile_chosen = True
            self._tile = self.config.tile or tile_side(
                height, width, frames, self.network.needs.bytes_per_pixel, free_bytes(self._device), _LEAST_TILE
            )
            if self._tile:
                log.info("frames of %dx%d are restored in tiles of %d pixels", width, height, self._tile)
        while True:
            try:
                return tiled(lambda cut: self._average(cut, views), images, self._tile, _TILE_OVERLAP)
            except RuntimeError as error:
                smaller = (self._tile or max(height, width)) // 2
                if not is_out_of_memory(error):
                    raise
                if smaller < _LEAST_TILE:
                    raise DeviceError(
                        f"Memory ran out even with tiles of {self._tile} pixels; free some, or use --device cpu."
                    ) from error
                log.warning("memory ran out: going on with tiles of %d pixels", smaller)
            self._tile = smaller

    def _average(self, images: list[Tensor], views: Views) -> Float[Tensor, "batch frame 3 height width"]:
        with convolving(self._device, self.config.bfloat16):
            return torch.stack([self._mirrored(images, axes) for axes in views]).mean(dim=0)

    def _mirrored(self, images: list[Tensor], axes: tuple[int, ...]) -> Tensor:
        """The network's output for a mirrored view, mirrored back."""
        return self.network(*[image.flip(axes) for image in images]).flip(axes)

    def _stands(self, index: int) -> bool:
        """Whether frame `index` takes nothing from those beside it: sharp, and without noise, it would only lose."""
        return self._left[index] or (self.selection.is_sharp(index) and not self.selection.noise)


def _half_v_l(image: Float[Tensor, "3 height width"]) -> float:
    """v_l (Eq. 1) at half the size, where noise and coding count for little."""
    whole = min(image.shape[-2:]) < 2
    return float(laplacian_variance(image[None] if whole else F.avg_pool2d(image[None], 2)))


class _Guiding:
    """The sharp frames of a clip as they guide others, see `Restorer.guiding`."""

    def __init__(self, restorer: Restorer) -> None:
        self._restorer = restorer

    def __len__(self) -> int:
        return len(self._restorer.frames)

    def tensor(self, index: int) -> Float[Tensor, "3 height width"]:
        """See `Frames.tensor`."""
        return self._restorer.guiding(index)
