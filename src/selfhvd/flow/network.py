"""What flows made by a network share: frames of any size are made to fit it, and its flow is brought back."""

from abc import abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from selfhvd.flow.predictor import Flow, FlowPredictor
from selfhvd.ops.warp import resize_flow

Images = Float[Tensor, "batch 3 height width"]
Margins = tuple[int, int, int, int]
"""Pixels at the left, right, top and bottom, in the order of `F.pad`."""


class NetworkFlow(FlowPredictor):
    """Enlarges small frames, runs the network on its own device without gradients, and gives the flow back as asked.

    Subclasses write `search`, and `search_both` where the two directions can share work.

    Args:
        network: switched to evaluation; it stays on the device it is on.
    """

    least_side: int
    """Pixels; a shorter side is enlarged to it."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval().requires_grad_(False)

    @abstractmethod
    def search(self, first: Images, second: Images) -> Flow:
        """The flow of images whose sides are at least `least_side`."""

    def search_both(self, first: Images, second: Images) -> tuple[Flow, Flow]:
        """Both directions."""
        return self.search(first, second), self.search(second, first)

    @torch.no_grad()
    def __call__(self, first: Images, second: Images) -> Flow:
        """See `FlowPredictor`."""
        return _brought_back(self.search(self._fitted(first), self._fitted(second)), like=first)

    @torch.no_grad()
    def both(self, first: Images, second: Images) -> tuple[Flow, Flow]:
        """See `FlowPredictor`."""
        there, back = self.search_both(self._fitted(first), self._fitted(second))
        return _brought_back(there, like=first), _brought_back(back, like=first)

    def _fitted(self, image: Images) -> Float[Tensor, "batch 3 h w"]:
        """On the network's device, in its precision, no side too short."""
        like = next(self.network.parameters())
        height, width = image.shape[-2:]
        return resized(image.to(like), (max(height, self.least_side), max(width, self.least_side)))


def _brought_back(flow: Flow, like: Images) -> Flow:
    size = (like.shape[-2], like.shape[-1])
    return Flow(resize_flow(flow.field, *size).to(like), resized(flow.certainty, size).to(like))


def resized(image: Float[Tensor, "batch channel h w"], size: tuple[int, int]) -> Float[Tensor, "batch channel _ _"]:
    """Bilinear, to `size` = (height, width); as it is where it has that size."""
    if tuple(image.shape[-2:]) == size:
        return image
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False)


def margins(height: int, width: int, multiple: int = 8) -> Margins:
    """What is to be added around an image to make its sides multiples; the odd pixel goes right and below."""
    across, down = -width % multiple, -height % multiple
    return across // 2, across - across // 2, down // 2, down - down // 2


def padded(image: Float[Tensor, "batch channel h w"], around: Margins) -> Float[Tensor, "batch channel _ _"]:
    """Repeat the border pixels outwards."""
    return F.pad(image, around, mode="replicate")


def cropped(image: Float[Tensor, "batch channel h w"], around: Margins) -> Float[Tensor, "batch channel _ _"]:
    """Undo `padded`."""
    left, right, top, bottom = around
    height, width = image.shape[-2:]
    return image[..., top : height - bottom, left : width - right]
