"""Align (Eq. 3-5): bring a sharp frame onto the grid of a blurry one, and say where that may be trusted."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfhvd.flow.predictor import Flow, FlowPredictor, Hop, Motion
from selfhvd.method.masks import in_frame, occlusion, uncertainty
from selfhvd.ops.resize import resized
from selfhvd.ops.warp import Resampling, resize_flow, warp
from selfhvd.video.frame_source import Frames


@dataclass(frozen=True)
class AlignConfig:
    """Constants of the alignment."""

    occlusion_strength: float = 0.2
    """s of Eq. 5, per full-resolution pixel. The paper's value is not published; 0.8 at quarter resolution is the
    author's later choice, which is 0.2 here."""
    longest: int = 720
    """Flow and masks are made on frames reduced to at most this many pixels on the longer side, then enlarged; the
    sharp frame is warped at full size (docs/ablations.md#align.longest)."""
    resolution: float = 1.0
    """And at most at this part of the frames' size; the author's later code has 0.25."""
    resampling: Resampling = "bicubic"
    """How the sharp frame is read between its pixels. Bilinear, the paper's, smooths every label and every guide a
    little (derived; docs/ablations.md#align.resampling)."""
    use_in_frame: bool = True
    """Where the flow leaves the picture nothing is trusted (author's later code); off only for ablation."""
    use_occlusion: bool = True
    """M_occ of Eq. 5; off only for ablation."""
    use_uncertainty: bool = True
    """M_uncer of Eq. 4; off only for ablation."""

    def scale(self, height: int, width: int) -> float:
        """The part of a frame's size at which flow and masks are made."""
        return min(self.resolution, self.longest / max(height, width))


@dataclass(frozen=True)
class Aligned:
    """S_{j→i}: a sharp frame as it would look from another frame's place."""

    image: Float[Tensor, "batch 3 height width"]
    mask: Float[Tensor, "batch 1 height width"]
    """M of Eq. 6: in-frame, occlusion and uncertainty masks multiplied."""
    inside: Float[Tensor, "batch 1 height width"]
    """The in-frame mask alone."""
    seen: Float[Tensor, "batch 1 h w"]
    """Occlusion times in-frame mask, at the size that the flow was found at: what p of Eq. 8 is the mean of."""


def align(
    output: Float[Tensor, "batch 3 height width"],
    sharp: Float[Tensor, "batch 3 height width"],
    predictor: FlowPredictor,
    config: AlignConfig = AlignConfig(),
) -> Aligned:
    """S_{j→i} = W(S_j, Φ_{i→j}) with its masks (Eq. 3, 4, 5).

    `output` is R_i (in the first round the blurry frame itself), `sharp` is S_j; both whole frames, because a sharp
    frame ten frames away shares little with a crop. No gradient flows.
    """
    forward, backward, scale = _flows(output, sharp, predictor, config)
    return _aligned(sharp, forward, backward, scale, config)


def align_each(
    output: Float[Tensor, "1 3 height width"],
    sharp: Sequence[Float[Tensor, "1 3 height width"]],
    predictor: FlowPredictor,
    config: AlignConfig = AlignConfig(),
    hops: Sequence[Hop | None] = (),
) -> Iterator[Aligned]:
    """Several sharp frames onto the grid of one; `hops` see `FlowPredictor.motions`, of frames as `reduced`."""
    motions = predictor.motions(reduced(output, config), [reduced(image, config) for image in sharp], hops)
    return align_by(motions, sharp, config)


def align_by(
    motions: Sequence[Motion], sharp: Iterable[Float[Tensor, "1 3 height width"]], config: AlignConfig = AlignConfig()
) -> Iterator[Aligned]:
    """The same where the motion from a frame to each of `sharp`, as `reduced`, is known; made one by one."""
    for image, motion in zip(sharp, motions, strict=True):
        yield _aligned(image, motion.there, motion.back, _scale(image, config), config)


def _flows(
    first: Float[Tensor, "batch 3 height width"],
    second: Float[Tensor, "batch 3 height width"],
    predictor: FlowPredictor,
    config: AlignConfig,
) -> tuple[Flow, Flow, float]:
    """There and back on reduced frames, and their size as part of the frames' own."""
    scale = _scale(first, config)
    return *predictor.both(_reduced(first, scale), _reduced(second, scale)), scale


def _scale(image: Float[Tensor, "batch 3 height width"], config: AlignConfig) -> float:
    return config.scale(*image.shape[-2:])


def _aligned(
    image: Float[Tensor, "batch 3 height width"], forward: Flow, backward: Flow, scale: float, config: AlignConfig
) -> Aligned:
    """`image` where `forward` sees it."""
    height, width = image.shape[-2:]
    inside = in_frame(forward.field)
    seen = inside if config.use_in_frame else torch.ones_like(inside)
    if config.use_occlusion:
        # A reduced pixel is 1 / scale full ones.
        seen = seen * occlusion(forward.field, backward.field, config.occlusion_strength / scale)
    mask = seen
    if config.use_uncertainty:
        mask = mask * uncertainty(forward.certainty, backward.certainty, forward.field)
    if scale < 1:
        mask, inside = (resized(m, height, width) for m in (mask, inside))
    warped = warp(image, resize_flow(forward.field, height, width), config.resampling).clamp(0, 1)
    return Aligned(warped, mask, inside, seen)


def reduced(
    image: Float[Tensor, "batch 3 height width"], config: AlignConfig = AlignConfig()
) -> Float[Tensor, "batch 3 h w"]:
    """A frame at the size at which flow and masks are made."""
    return _reduced(image, _scale(image, config))


def _reduced(image: Float[Tensor, "batch 3 height width"], scale: float) -> Float[Tensor, "batch 3 h w"]:
    if scale == 1:
        return image
    size = [max(1, round(side * scale)) for side in image.shape[-2:]]
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=True)


@dataclass(frozen=True)
class Guides:
    """Several sharp frames aligned onto one frame."""

    images: Float[Tensor, "guide 3 height width"]
    trust: Float[Tensor, "guide 1 height width"]
    """M of each; 0 everywhere where there is no such sharp frame."""
    seen: tuple[Float[Tensor, "1 h w"], ...] = ()
    """Occlusion and in-frame mask of each, at the size that the flow was found at; () where they were fused."""


def align_guides(
    output: Float[Tensor, "3 height width"],
    frames: Frames,
    numbers: Sequence[int],
    predictor: FlowPredictor,
    config: AlignConfig = AlignConfig(),
) -> Guides:
    """Align the frames called `numbers` onto `output`; -1 stands for a guide that is not there."""
    hidden = torch.zeros_like(output[:1])
    images, trust = [output] * len(numbers), [hidden] * len(numbers)
    black = torch.zeros_like(output[None])
    seen = [_reduced(black, _scale(black, config))[0, :1]] * len(numbers)
    there = [g for g, number in enumerate(numbers) if number >= 0]
    sharp = [frames.tensor(numbers[g]).to(output.device)[None] for g in there]
    for g, aligned in zip(there, align_each(output[None], sharp, predictor, config), strict=True):
        images[g], trust[g], seen[g] = aligned.image[0], aligned.mask[0], aligned.seen[0]
    return Guides(torch.stack(images), torch.stack(trust), tuple(seen))
