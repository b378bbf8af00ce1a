"""The embedded flow: OpenCV's DIS. No weights, no download, about 25 ms a pair at 480x272 on one core."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.moving import moving_part
from selfhvd.flow.predictor import Flow, FlowPredictor
from selfhvd.ops.quantize import to_pixels
from selfhvd.ops.resize import resized
from selfhvd.ops.warp import resize_flow, warp

_LEAST_SIDE = 32
"""DIS's patches and pyramid need about this many pixels; smaller frames are enlarged first."""


class Dis(FlowPredictor):
    """Dense Inverse Search, on grey frames, with a certainty of our own making.

    DIS gives no uncertainty, so U is derived from the photometric residual of the warp: with both images
    low-passed (one of them is usually blurred) and their mean absolute colour difference r,
    U = 1 - min(r / `tolerance`, 1). A fixed scale, unlike a per-image min-max, leaves a perfect flow whole.

    Args:
        tolerance: residual (colour in [0, 1]) at which a pixel counts as lost.
        blur: side of the low-pass box, pixels of the searched size, odd: wider than the blur that is to be removed.
    """

    name = "dis"

    def __init__(self, tolerance: float = 0.15, blur: int = 21) -> None:
        self.tolerance, self.blur = tolerance, blur

    def __call__(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
    ) -> Flow:
        """See `FlowPredictor`. Runs on the CPU whatever the device of the images."""
        a, b = self._at_search_size(first), self._at_search_size(second)
        return self._judged(first, _flows(a, b), self._smooth(a), self._smooth(b))

    def both(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
    ) -> tuple[Flow, Flow]:
        """See `FlowPredictor`; the images are prepared once."""
        a, b = self._at_search_size(first), self._at_search_size(second)
        calm, other = self._smooth(a), self._smooth(b)
        return self._judged(first, _flows(a, b), calm, other), self._judged(first, _flows(b, a), other, calm)

    def field(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
    ) -> Float[Tensor, "batch xy=2 height width"]:
        """See `FlowPredictor`."""
        field = _flows(self._at_search_size(first), self._at_search_size(second))
        return resize_flow(field, *first.shape[-2:]).to(first.device)

    def rest(
        self,
        first: Float[Tensor, "1 3 height width"],
        second: Float[Tensor, "1 3 height width"],
        shown: Bool[Tensor, "1 1 height width"],
        least: float,
    ) -> tuple[Flow, Flow]:
        """See `FlowPredictor`: searched for in the part of the image where a first look finds that something moves."""
        a, b = self._at_search_size(first), self._at_search_size(second)
        if a.shape != first.shape:
            return self.both(first, second)
        calm, other = self._smooth(a), self._smooth(b)
        grey, other_grey = (image[0].mean(dim=0).numpy() for image in (a, b))
        part = moving_part(grey, other_grey, shown[0, 0].cpu().numpy(), least)
        there, back = torch.zeros_like(a[:, :2]), torch.zeros_like(a[:, :2])
        if part is None:
            still = self._judged(first, there, calm, other)
            return still, still
        where = (..., *part)
        there[where], back[where] = _flows(a[where], b[where]), _flows(b[where], a[where])
        return self._judged(first, there, calm, other), self._judged(first, back, other, calm)

    def _judged(
        self,
        like: Float[Tensor, "batch 3 height width"],
        field: Float[Tensor, "batch 2 h w"],
        calm: Float[Tensor, "batch 3 h w"],
        other: Float[Tensor, "batch 3 h w"],
    ) -> Flow:
        """With U, and as large as `like`."""
        height, width = like.shape[-2:]
        brought = warp(other, field) if field.any() else other
        residual = (calm - brought).abs().mean(dim=1, keepdim=True)
        certainty = 1 - (self._smooth(residual) / self.tolerance).clamp(max=1)
        certainty = resized(certainty, height, width)
        return Flow(resize_flow(field, height, width).to(like.device), certainty.to(like.device))

    def _at_search_size(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 h w"]:
        image, (height, width) = image.cpu(), image.shape[-2:]
        size = (max(_LEAST_SIDE, height), max(_LEAST_SIDE, width))
        if size == (height, width):
            return image
        return F.interpolate(image, size=size, mode="bilinear", align_corners=False)

    def _smooth(self, image: Float[Tensor, "batch channel h w"]) -> Float[Tensor, "batch channel h w"]:
        planes = image.flatten(0, 1).numpy()
        smooth = [cv2.blur(plane, (self.blur, self.blur)) for plane in planes]
        return torch.from_numpy(np.stack(smooth)).view_as(image)


def _flows(first: Float[Tensor, "batch 3 h w"], second: Float[Tensor, "batch 3 h w"]) -> Float[Tensor, "batch 2 h w"]:
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # each thread needs its own
    pairs = zip(first, second, strict=True)
    fields = [search.calc(_grey(a), _grey(b), None) for a, b in pairs]  # pyright: ignore[reportCallIssue, reportArgumentType]
    return torch.from_numpy(np.stack(fields)).permute(0, 3, 1, 2)


def _grey(image: Float[Tensor, "3 h w"]) -> np.ndarray:
    return cv2.cvtColor(to_pixels(image), cv2.COLOR_RGB2GRAY)
