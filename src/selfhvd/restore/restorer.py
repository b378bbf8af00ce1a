"""Restore: frames in, sharper frames out, window by window; nothing holds the whole clip."""

from collections.abc import Callable, Iterator
from itertools import chain, islice

import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.backbones.backbone import Backbone
from selfhvd.extensions.fused_guides import fused
from selfhvd.extensions.selection import Selection
from selfhvd.flow.camera.predictor import GlobalMotionFlow
from selfhvd.flow.device.predictor import DeviceMotionFlow
from selfhvd.flow.predictor import FlowPredictor, Hop
from selfhvd.method.align import AlignConfig, Guides, align_by, align_each, reduced
from selfhvd.method.sharp_frames import laplacian_variance
from selfhvd.ops.resize import halved
from selfhvd.ops.windows import blend_weights, windows
from selfhvd.restore.config import RestoreConfig
from selfhvd.restore.device_pairs import DevicePairs
from selfhvd.restore.inference import MIRRORS, Inference
from selfhvd.restore.reduced import Reduced
from selfhvd.restore.sharp_pairs import SharpPairs
from selfhvd.restore.shelf import Shelf, as_codes, from_codes, in_codes
from selfhvd.restore.temporal import NeighbourMotions, TemporalBlend
from selfhvd.restore.uploaded import Uploaded
from selfhvd.system.threads import one_thread
from selfhvd.video.frame_source import LARGE, Frames, RecentFrames

_MORE = 1
"""So many sharp frames more on each side of a sharp frame that is restored first: it guides others, too."""
_FURTHEST = 20
"""Frames from the nearest sharp one, a segment of the paper's, up to which a frame is guided by its neighbour: all
between the two are restored before it and held."""
_NOT_BLURRED = 0.9
"""Part of its restored self's sharpness (v_l at half the size) that a sharp frame has at least; one with less was
blurred itself (docs/ablations.md#restore._NOT_BLURRED)."""


class Restorer:
    """D(B; Θ) applied at native resolution, with guides, padding and windows.

    Frames go to the network's device when they are read, and stay there: what is asked for as an iterator, as a `frame`
    or `instead` of one is on the CPU, all else on the device.

    What is made on the way lies on the `shelf`, if there is one, so that several processes share the work: whoever
    needs a frame that is not there makes it.
    """

    def __init__(
        self,
        network: Backbone,
        frames: Frames,
        selection: Selection,
        predictor: FlowPredictor,
        align: AlignConfig = AlignConfig(),
        config: RestoreConfig = RestoreConfig(),
        shelf: Shelf | None = None,
    ) -> None:
        self.network, self.selection = network, selection
        self.predictor, self.align, self.config = predictor, align, config
        self._left, self._unblurred = selection.left(config.which), selection.left("blurry")
        self._inference = Inference(network, config)
        self._device = self._inference.device
        self.frames = RecentFrames(Uploaded(frames, self._device))
        if self._device.type != "cpu":
            # Those that guide a frame are held: else each would be brought there again and again.
            self.frames = RecentFrames(Uploaded(frames, self._device), 2 * (config.each_side + _MORE) + 2, None)
        self._window = min(network.needs.window, config.window or network.needs.window)
        self._guided = config.guided and network.needs.guides > 0
        single = self._guided and self._window == 1
        self._restored_first = config.restored_guides and single
        self._shelf = shelf
        self._pairs: SharpPairs | None = None
        if single and isinstance(predictor, GlobalMotionFlow):
            self._pairs = SharpPairs(self.frames, selection, predictor, align, self._device, shelf)
        self._device_pairs: DevicePairs | None = None
        if single and isinstance(predictor, DeviceMotionFlow):
            self._device_pairs = DevicePairs(self.frames, selection, predictor, align)
        most = None if shelf is None else LARGE  # what does not lie on the shelf would be restored again
        self._guiding = RecentFrames(_Guiding(self), config.kept_guides, most) if self._restored_first else self.frames
        self._small_guides = RecentFrames(Reduced(self._guiding, align), 2 * config.each_side + 1)
        self._last, self._outputs = (0, 0), list[Tensor]()
        self._relayed: dict[int, Float[Tensor, "3 height width"]] = {}

    def __iter__(self) -> Iterator[Float[Tensor, "3 height width"]]:
        """Every frame in order, RGB in [0, 1], on the CPU."""
        return (frame.cpu() for frame in self.since(0))

    def since(self, first: int) -> Iterator[Float[Tensor, "3 height width"]]:
        """The same from frame `first` on, on the device, as if the frames before had been asked for too.

        On a CPU that is so to the bit.
        """
        amounts = self._amounts
        # Without those before it a frame is blended wrongly: each pass is one more.
        begin = max(0, first - len(amounts))
        frames = self._alone(begin)
        motions = NeighbourMotions(self.predictor, self.align)
        blend = TemporalBlend(self.selection, self._left, motions, self.config.steadiness, self._device)
        for amount in amounts:
            frames = blend.over(frames, begin, amount)
        return islice(frames, first - begin, None)

    def _alone(self, first: int) -> Iterator[Float[Tensor, "3 height width"]]:
        """The frames before they are steadied."""
        if self._window == 1:
            for index in range(first, len(self.frames)):
                yield self.alone(index)
                self._relayed = {number: frame for number, frame in self._relayed.items() if number >= index}
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

    def alone(self, index: int) -> Float[Tensor, "3 height width"]:
        """Frame `index` of a network that takes single frames, before it is steadied; in 16 bits."""
        if self._left[index]:
            return self.frames.tensor(index)
        if (kept := self._relayed.get(index)) is not None:
            return kept
        restored = self._shelved("alone", index, self._single)
        if self._shelf is None and self._restored_first and self.config.far <= self.selection.away(index) < _FURTHEST:
            self._relayed[index] = restored
        return restored

    def relays_to(self, index: int) -> tuple[int, ...]:
        """The neighbours of frame `index` that are restored before it and guide it, too: see `RestoreConfig.far`."""
        if not self._restored_first or not self.config.far < self.selection.away(index) <= _FURTHEST:
            return ()

        def order(number: int) -> tuple[int, int]:
            return self.selection.away(number), number

        beside = (number for number in (index - 1, index + 1) if 0 <= number < len(self.frames))
        return tuple(number for number in beside if self.is_worked(number) and order(number) < order(index))

    @property
    def steadied_over(self) -> int:
        """Frames before a frame, and as many after it, from which it takes something when it is steadied."""
        return len(self._amounts)

    @property
    def _amounts(self) -> list[float]:
        """How much each pass over the frames steadies them."""
        if not self.config.steadiness:
            return []
        return [1.0, self.selection.noise] if self.selection.noise else [1.0]

    def is_worked(self, index: int) -> bool:
        """Whether frame `index` is restored; else it stays as it came."""
        return not self._left[index]

    def guides_of(self, index: int) -> tuple[int, ...]:
        """The sharp frames that are restored before frame `index` is."""
        if not self._restored_first:
            return ()
        own = [index] if self.selection.is_sharp(index) else []
        guiding = self.selection.guiding(index, self.config.each_side)
        return tuple(number for number in (*own, *guiding) if self.is_worked(number))

    def _shelved(
        self, kind: str, index: int, make: Callable[[int], Float[Tensor, "3 height width"]]
    ) -> Float[Tensor, "3 height width"]:
        """From the shelf, or made and put there; the same to the bit in either case, and where there is no shelf."""
        if self._shelf is None and self._device.type != "cpu":
            return in_codes(make(index))
        kept = None if self._shelf is None else self._shelf.get(kind, index)
        codes = as_codes(make(index)) if kept is None else kept[0]
        if kept is None and self._shelf is not None:
            self._shelf.put([codes], kind, index)
        return from_codes(codes).to(self._device)

    def _single(self, index: int) -> Float[Tensor, "3 height width"]:
        if self._restored_first and self.selection.is_sharp(index):
            restored = self._guiding.tensor(index)  # from frames as they came
            as_sharp = _half_v_l(self.frames.tensor(index)) >= _NOT_BLURRED * _half_v_l(restored)
            if isinstance(as_sharp, Tensor):
                return torch.where(as_sharp, restored, self.window(index, index + 1)[0])
            if as_sharp:
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
        return self._outputs[index - start].cpu()

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
            guides = [self._guides(n, frame, near, source, not turn) for n, frame in enumerate(output, start=start)]
            output = self._inference(clip, guides, MIRRORS[:views])
            if source is self.frames and self._restored_first:
                output = [
                    self._held(start + n, *parts) for n, parts in enumerate(zip(clip, output, guides, strict=True))
                ]
        return list(output)

    def _held(
        self,
        index: int,
        frame: Float[Tensor, "3 height width"],
        restored: Float[Tensor, "3 height width"],
        guides: Guides | None,
    ) -> Float[Tensor, "3 height width"]:
        """A frame that is not blurred, restored where others show it, too, or the clip is noisy: else it only loses."""
        if guides is None or not self._unblurred[index]:
            return restored
        trust = guides.trust[0]
        return frame.lerp(restored, trust + (1 - trust) * self.selection.noise)

    @torch.inference_mode()
    def instead(self, index: int, image: Float[Tensor, "3 height width"]) -> Float[Tensor, "3 height width"]:
        """What would come out for frame `index` if it looked like `image`; for trials."""
        start, end = self._around(index)
        clip = [(image if i == index else self.frames.tensor(i)).to(self._device) for i in range(start, end)]
        guides = [self._guides(start + n, frame, 1, self.frames) for n, frame in enumerate(clip)]
        return self._inference(clip, guides)[index - start].cpu()

    def _around(self, index: int) -> tuple[int, int]:
        """The window in which frame `index` stands as far from the ends as can be."""
        return self._ahead(index, self._window // 2)

    def _ahead(self, index: int, margin: int) -> tuple[int, int]:
        """The window that begins `margin` frames before frame `index`, moved to lie inside the clip."""
        start = max(0, min(index - margin, len(self.frames) - self._window))
        return start, min(start + self._window, len(self.frames))

    def guiding(self, index: int) -> Float[Tensor, "3 height width"]:
        """Sharp frame `index` as it guides others: restored from frames as they came, unless it is handed through."""
        return self.frames.tensor(index) if self._left[index] else self._shelved("guide", index, self._guide)

    @torch.inference_mode()
    def _guide(self, index: int) -> Float[Tensor, "3 height width"]:
        return self._restored(index, index + 1, self.frames, self.config.each_side + _MORE)[0]

    def _guides(
        self,
        index: int,
        output: Float[Tensor, "3 height width"],
        each_side: int,
        source: Frames,
        as_it_came: bool = False,
    ) -> Guides | None:
        """What sharp frames around frame `index` show of it; `as_it_came`: `output` is that frame itself."""
        if not self._guided:
            return None
        there = list(self.selection.guiding(index, each_side))
        among_sharp = as_it_came and source is self.frames and self.selection.is_sharp(index)
        if self._device_pairs is not None and among_sharp:
            sharp = (source.tensor(number)[None] for number in there)
            aligned = align_by(self._device_pairs.motions(index, there), sharp, self.align)
            return fused(output, aligned)
        relayed = [self.alone(number)[None] for number in self.relays_to(index)] if source is self._guiding else []
        if self._pairs is None:
            sharp = [source.tensor(number).to(output.device)[None] for number in there]
            aligned = align_each(output[None], [*sharp, *relayed], self.predictor, self.align)
            return fused(output, aligned, len(there))
        sharp = (source.tensor(number).to(output.device)[None] for number in there)  # read one by one
        if among_sharp:
            # The later ones first: the earlier ones have looked at this one already.
            found = {number: self._pairs.motion(index, number) for number in sorted(there, reverse=True)}
            aligned = align_by([found[number] for number in there], sharp, self.align)
        else:
            hops = [self._hop(there, n) for n in range(len(there))] + [None] * len(relayed)
            reduced_source = self._small_guides if source is self._guiding else self._pairs.small
            small = [reduced_source.tensor(number).to(output.device)[None] for number in there]
            small += [reduced(image, self.align) for image in relayed]
            motions = self.predictor.motions(reduced(output[None], self.align), small, hops)
            aligned = align_by(motions, chain(sharp, relayed), self.align)
        with one_thread():
            return fused(output, aligned, len(there))

    def _hop(self, numbers: list[int], place: int) -> Hop | None:
        """To one of several sharp frames, from that of the first two which is nearer to it in time."""
        if place < 2 or self._pairs is None:
            return None
        number = numbers[place]
        start = min((0, 1), key=lambda n: abs(numbers[n] - number))
        camera = self._pairs.camera(numbers[start], number)
        return None if camera is None else Hop(start, camera)


def _half_v_l(image: Float[Tensor, "3 height width"]) -> float | Float[Tensor, ""]:
    """v_l (Eq. 1) at half the size, where noise and coding count for little; elsewhere than on a CPU on the device."""
    whole = min(image.shape[-2:]) < 2
    found = laplacian_variance(image[None] if whole else halved(image[None]))[0]
    return float(found) if found.device.type == "cpu" else found


class _Guiding:
    """The sharp frames of a clip as they guide others, see `Restorer.guiding`."""

    def __init__(self, restorer: Restorer) -> None:
        self._restorer = restorer

    def __len__(self) -> int:
        return len(self._restorer.frames)

    def tensor(self, index: int) -> Float[Tensor, "3 height width"]:
        """See `Frames.tensor`."""
        return self._restorer.guiding(index)
