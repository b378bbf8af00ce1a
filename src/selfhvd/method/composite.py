"""The training-free composite: the nearest sharp frame laid over each blurry one. A baseline, not the product.

It warps bilinearly because the paper's does; bicubic would be about 0.25 dB better, measured on three clips.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from selfhvd.flow.predictor import FlowPredictor
from selfhvd.method.align import AlignConfig, align
from selfhvd.method.sharp_frames import nearest
from selfhvd.video.frame_source import Frames


def composite(
    frames: Frames,
    sharp: Sequence[int],
    index: int,
    predictor: FlowPredictor,
    config: AlignConfig = AlignConfig(resampling="bilinear"),
) -> Float[Tensor, "3 height width"]:
    """M ⊙ S_{j→i} + (1 - M) ⊙ B_i; a frame of S, `sharp`, stays as it is. RGB in [0, 1]."""
    frame = frames.tensor(index)
    j = nearest(sharp, index)
    if j == index:
        return frame
    aligned = align(frame[None], frames.tensor(j)[None], predictor, config)
    return (aligned.mask * aligned.image + (1 - aligned.mask) * frame[None])[0].clamp(0, 1)
