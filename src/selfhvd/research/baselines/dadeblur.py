"""DaDeblur (He et al., ECCV 2024): sharp regions of the clip, blurred again the way the clip itself is blurred.

Theirs: relatively sharp regions, a blur condition from the clip's motion, a re-blur of whole frames, and windows whose
centre is the re-blurred frame among the original ones, with the original centre as target. Ours: the detector of sharp
regions, the re-blur without weights, sizes that follow the frames', and guides for networks that take them,
aligned onto the re-blurred frame as they are when restoring. Their scripts keep the checkpoint that scores best
against the truth of the test set; here nothing looks at a truth and the last step is kept.
"""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from selfhvd.errors import InputError
from selfhvd.extensions.selection import Selection
from selfhvd.flow.predictor import FlowPredictor
from selfhvd.method.align import AlignConfig, align_guides
from selfhvd.ops.quantize import quantize, to_pixels
from selfhvd.research.baselines.blur_condition import ConditionConfig, blur_condition
from selfhvd.research.baselines.pairs import ALL, Pair, Pairs, Share, Turn, crop_side, without_guides
from selfhvd.research.baselines.reblur import MotionReblur, Reblur
from selfhvd.research.baselines.regions import Region, RegionConfig, demand_room, find_regions
from selfhvd.research.baselines.scale import relative_size
from selfhvd.research.baselines.sharpness_map import SoftnessMaps
from selfhvd.system.progress import Progress, silent
from selfhvd.training.aligned_store import AlignedStore, ItemMeta, Record
from selfhvd.video.frame_source import Frames, RecentFrames

_GUIDES = 2
_LEAST_TILE, _LEAST_SIDE = 4, 16
"""Pixels: in smaller tiles there is nothing to measure, on smaller crops nothing to learn."""
_KEPT = 8
"""Frames kept in memory: one frame's condition looks at seven."""


@dataclass(frozen=True)
class DaDeblurConfig:
    """How the pairs are made."""

    crop: int = 256
    """Pixels a side, where the regions allow."""
    size: int = 2
    """Windows a batch (theirs: 8)."""
    window: int = 5
    """Frames a window (theirs: 5); 1 = the centre alone."""
    guides: int = 0
    """Guides that the network takes, at most 2; neighbours of the centre have none that are trusted."""
    regions: RegionConfig = field(default_factory=RegionConfig)
    condition: ConditionConfig = field(default_factory=ConditionConfig)


@dataclass(frozen=True)
class Prepared:
    """Re-blurred frames on disk, and the regions in which they are worth learning from."""

    material: AlignedStore
    """One record for each frame that has a region: re-blurred frame, guides aligned onto it, and the original."""
    regions: tuple[Region, ...]

    @classmethod
    def opened(cls, folder: Path) -> "Prepared":
        """What `prepare` left in a folder.

        Raises:
            InputError: `prepare` was not there, or did not come to its end.
        """
        if not AlignedStore.complete(folder / "material"):
            raise InputError(f"{folder} holds no finished pairs of DaDeblur; prepare them first.")
        regions = json.loads((folder / "regions.json").read_text(encoding="utf-8"))
        return cls(AlignedStore.open(folder / "material"), tuple(Region(**region) for region in regions))


def prepare(
    frames: Frames,
    selection: Selection,
    predictor: FlowPredictor,
    folder: Path,
    *,
    reblur: Reblur | None = None,
    config: DaDeblurConfig = DaDeblurConfig(),
    align: AlignConfig = AlignConfig(),
    seed: int = 0,
    on_progress: Progress = silent,
) -> Prepared:
    """Find the regions, re-blur their frames and align the guides, once; all of it lies in `folder` afterwards.

    Args:
        frames: the clip.
        selection: its sharp frames, for the guides only.
        predictor: flow for the blur condition and for the guides.
        folder: where to keep it; made where missing.
        reblur: `MotionReblur` where none is given.
        config: sizes and rules.
        align: constants of the guides' alignment.
        seed: of whatever is drawn.
        on_progress: told after each frame.

    Raises:
        InputError: the clip is too short or too small.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames, blur = RecentFrames(frames, _KEPT), reblur or MotionReblur()
    height, width = frames.tensor(0).shape[-2:]
    regions = _regions(frames, folder, config.regions, seed, on_progress)
    (folder / "regions.json").write_text(json.dumps([asdict(region) for region in regions]), encoding="utf-8")
    numbers = sorted({region.frame for region in regions})
    # What an earlier preparation left must not be taken for this one.
    shutil.rmtree(folder / "material", ignore_errors=True)
    material = AlignedStore.create(folder / "material", len(numbers), _GUIDES, height, width)
    captions: list[ItemMeta] = []
    for slot, index in enumerate(numbers):
        original = frames.tensor(index)
        blurry = blur(original[None], blur_condition(frames, index, predictor, config.condition), seed + index)[0]
        around = selection.around(index, 1) if config.guides else (-1,) * _GUIDES
        guides = align_guides(blurry, frames, around, predictor, align)
        images, trust = to_pixels(guides.images), quantize(guides.trust[:, 0])
        material.put(slot, Record(to_pixels(blurry), images, trust, to_pixels(original)))
        captions.append(ItemMeta(index, selection.is_sharp(index), around))
        on_progress("re-blur", slot + 1, len(numbers))
    material.finish(captions)
    return Prepared(material, regions)


def _regions(
    frames: Frames, folder: Path, config: RegionConfig, seed: int, on_progress: Progress
) -> tuple[Region, ...]:
    height, width = frames.tensor(0).shape[-2:]
    scale = relative_size(height, width)
    tile, side = max(_LEAST_TILE, round(config.tile * scale)), max(_LEAST_SIDE, round(config.side * scale))
    demand_room(len(frames), height, width, tile, side, config)
    maps = SoftnessMaps.measured(folder, frames, tile, lambda done, total: on_progress("sharp regions", done, total))
    return find_regions(maps, tile, side, np.random.default_rng([seed, len(frames)]), config)


class ReblurredRegions(Pairs):
    """Windows around re-blurred frames, cut inside their sharp regions; only the centre counts."""

    def __init__(
        self,
        frames: Frames,
        prepared: Prepared,
        config: DaDeblurConfig = DaDeblurConfig(),
        seed: int = 0,
        share: Share = ALL,
    ) -> None:
        super().__init__(config.size, seed, share)
        self.frames, self.material, self.regions = frames, prepared.material, prepared.regions
        self.config, self.window = config, min(config.window, len(frames))
        self._slots = {caption.index: slot for slot, caption in enumerate(prepared.material.captions)}
        self.side = crop_side(config.crop, min(r.height for r in self.regions), min(r.width for r in self.regions))

    def pair(self, rng: np.random.Generator) -> Pair:
        """See `Pairs`."""
        region = self.regions[int(rng.integers(len(self.regions)))]
        top = region.top + int(rng.integers(region.height - self.side + 1))
        left = region.left + int(rng.integers(region.width - self.side + 1))
        turn = Turn.drawn(rng)
        record = self.material.crop(self._slots[region.frame], top, left, self.side, self.side)
        first = max(0, min(region.frame - self.window // 2, len(self.frames) - self.window))
        centre = region.frame - first
        original = torch.stack(
            [
                turn(self.frames.tensor(first + n)[:, top : top + self.side, left : left + self.side])
                for n in range(self.window)
            ]
        )
        shown, target = original.clone(), original.clone()
        shown[centre], target[centre] = turn(_floats(record.frame)), turn(_floats(record.truth))
        guides, trust = without_guides(shown, self.config.guides)
        if self.config.guides:
            guides[centre] = turn(_floats(record.guides))[: self.config.guides]
            trust[centre] = turn(_floats(record.trust[..., None]))[: self.config.guides]
        weight = torch.zeros(self.window)
        weight[centre] = 1
        return Pair(shown, guides, trust, target, weight)


def _floats(image: UInt8[np.ndarray, "*rest side side2 channel"]) -> Float[Tensor, "*rest channel side side2"]:
    return torch.from_numpy(image).movedim(-1, -3).float() / 255
