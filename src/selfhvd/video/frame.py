"""One frame: its stored form, what people may give for one, and what metrics and networks take."""

from typing import TYPE_CHECKING

import cv2
import numpy as np
from jaxtyping import Float, UInt8, UInt16

from selfhvd.errors import UsageError

if TYPE_CHECKING:
    import torch

Frame = UInt8[np.ndarray, "height width 3"] | UInt16[np.ndarray, "height width 3"]
"""RGB, upright; deeper sources spread over 0..65535."""
Picture = Frame | Float[np.ndarray, "height width 3"]
"""What people may give for a frame: RGB, upright, of 8 or 16 bits, or floats in [0, 1]."""

_LEVELS = np.arange(256, dtype=np.float32) / 255

_WANTED = "give RGB arrays of height x width x 3, as uint8, as uint16 up to 65535, or as floats from 0 to 1"


def check_frame(frame: Picture, name: str = "The frame") -> None:
    """`UsageError` unless `frame` is a `Picture`; `name` begins the sentence."""
    if not isinstance(frame, np.ndarray):  # pyright: ignore[reportUnnecessaryIsInstance] - people give anything
        raise UsageError(f"{name} is a {type(frame).__name__}; {_WANTED}.")
    floats = np.issubdtype(frame.dtype, np.floating)
    whole = frame.ndim == 3 and frame.shape[2] == 3 and frame.size > 0
    if not whole or not (floats or frame.dtype.name in ("uint8", "uint16")):
        raise UsageError(f"{name} is {_in_words(frame)}; {_WANTED}.")
    low, high = (float(frame.min()), float(frame.max())) if floats else (0.0, 1.0)
    if not (low >= 0 and high <= 1):
        raise UsageError(f"{name} is {_in_words(frame)} with values from {low:g} to {high:g}; {_WANTED}.")


def _in_words(array: np.ndarray) -> str:
    """As "float64 of 48x64x3"."""
    return f"{array.dtype} of {'x'.join(map(str, array.shape)) or 'one value'}"


def as_bytes(frame: Picture) -> UInt8[np.ndarray, "height width 3"]:
    """A frame rounded to 8 bits.

    Raises:
        UsageError: it is no `Picture`.
    """
    check_frame(frame)
    if frame.dtype == np.uint8:
        return frame
    return np.rint(frame / 257 if frame.dtype == np.uint16 else 255 * frame).astype(np.uint8)


def reduced(frame: Frame, longest: int | None) -> Frame:
    """A frame of at most `longest` pixels on the longer side, each the mean of those that it stands for."""
    height, width = frame.shape[:2]
    if longest is None or max(height, width) <= longest:
        return frame
    size = (max(1, round(longest * side / max(height, width))) for side in (width, height))
    return np.asarray(cv2.resize(frame, tuple(size), interpolation=cv2.INTER_AREA), frame.dtype)


def as_tensor(frame: Picture) -> "torch.Tensor":
    """A frame as float32 `3 height width` in [0, 1].

    Raises:
        UsageError: it is no `Picture`.
    """
    import torch  # the child process that decodes does without

    check_frame(frame)
    if frame.dtype == np.uint8:
        image = torch.empty(3, *frame.shape[:2])
        for plane, filled in zip(cv2.split(np.ascontiguousarray(frame)), image.numpy(), strict=True):
            cv2.LUT(plane, _LEVELS, filled)  # a third of the time of the way below, and the same
        return image
    largest = np.iinfo(frame.dtype).max if frame.dtype.kind == "u" else 1
    return torch.from_numpy(frame.astype(np.float32) / largest).permute(2, 0, 1).contiguous()


def as_image(image: "Picture | torch.Tensor") -> "torch.Tensor":
    """A picture, or what is an image of the method's already: floats `3 height width` in [0, 1].

    Raises:
        UsageError: it is neither.
    """
    import torch

    if not isinstance(image, torch.Tensor):
        return as_tensor(image)
    shape = "x".join(map(str, image.shape))
    if not image.is_floating_point() or image.ndim != 3 or image.shape[0] != 3 or not image.numel():
        raise UsageError(f"The image is a tensor {image.dtype} of {shape}; give floats of 3 x height x width, 0 to 1.")
    low, high = (float(end) for end in image.aminmax())
    if not (low >= 0 and high <= 1):
        raise UsageError(f"The image is a tensor with values from {low:g} to {high:g}; give floats from 0 to 1.")
    return image


def check_alike(image: "Picture | torch.Tensor", other: "Picture | torch.Tensor") -> None:
    """`UsageError` unless two images that are compared are as large."""
    if image.shape != other.shape:
        sizes = ["x".join(map(str, shape)) for shape in (image.shape, other.shape)]
        raise UsageError(f"An image of {sizes[0]} cannot be compared with one of {sizes[1]}; make them alike.")
