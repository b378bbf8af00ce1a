"""Other sizes of an image, pixels being squares: the same by torch and, on a CPU several times faster, by OpenCV."""

from typing import Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Between = Literal["bilinear", "bicubic"]
_HOW: dict[str, int] = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


def resized(
    image: Float[Tensor, "batch channel h w"], height: int, width: int, between: Between = "bilinear"
) -> Float[Tensor, "batch channel height width"]:
    """Values between pixels by `between`; nothing is averaged, so it is meant for larger sizes."""
    if image.shape[-2:] == (height, width):
        return image
    if not plain(image):
        return F.interpolate(image, size=(height, width), mode=between, align_corners=False)
    planes = image.flatten(0, 1).numpy()
    larger = np.empty((len(planes), height, width), np.float32)
    for plane, filled in zip(planes, larger, strict=True):
        cv2.resize(plane, (width, height), filled, interpolation=_HOW[between])
    return torch.from_numpy(larger).view(*image.shape[:2], height, width)


def halved(image: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel h w"]:
    """Means of two by two pixels; an odd last row or column is left out."""
    height, width = (side // 2 for side in image.shape[-2:])
    if not plain(image) or not height or not width:
        return F.avg_pool2d(image, 2)
    half = np.empty((*image.shape[:2], height, width), np.float32)
    for planes, filled in zip(image.numpy(), half, strict=True):
        for plane, means in zip(planes, filled, strict=True):
            cv2.resize(plane[: 2 * height, : 2 * width], (width, height), means, interpolation=cv2.INTER_AREA)
    return torch.from_numpy(half)


def plain(image: Tensor) -> bool:
    """Whether OpenCV can take it as it is: on the CPU, in float32, without a gradient."""
    return image.device.type == "cpu" and image.dtype == torch.float32 and not image.requires_grad
