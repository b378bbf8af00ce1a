"""Layers: flat pictures one behind the other, seen from a moving view."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from selfhvd.synthesis.light import to_light
from selfhvd.synthesis.trajectory import Trajectory

Size = tuple[int, int]
"""Width and height of the view, pixels."""
_BANDS = 12
"""Rows are exposed in so many groups, one after the other."""


@dataclass(frozen=True)
class Layer:
    """A picture in linear light with opacity, and for each step the matrix from view to picture pixels."""

    picture: Float[np.ndarray, "h w 3"]
    opacity: Float[np.ndarray, "h w"] | None
    """None: the background, which is everywhere."""
    matrices: Float[np.ndarray, "step 2 3"]

    @staticmethod
    def of_photo(
        photo: UInt8[np.ndarray, "h w 3"], path: Trajectory, size: Size, place: Float[np.ndarray, "xy=2"] | None = None
    ) -> "Layer":
        """A background; `place`: where the path starts, pixels from the photo's centre."""
        centre = np.array([photo.shape[1], photo.shape[0]]) / 2
        start = centre if place is None else centre + place
        return Layer(to_light(photo), None, view_matrices(path, start, size))


def view_matrices(path: Trajectory, centre: Float[np.ndarray, "xy=2"], size: Size) -> Float[np.ndarray, "step 2 3"]:
    """Affine maps from view pixels to picture pixels, the view centred on `centre` + position."""
    cos, sin = np.cos(path.angle) / path.zoom, np.sin(path.angle) / path.zoom
    linear = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], axis=1)
    middle = np.array([(size[0] - 1) / 2, (size[1] - 1) / 2])
    offset = centre + path.position - linear @ middle
    return np.concatenate([linear, offset[..., None]], axis=2)


def rendered(layers: Sequence[Layer], step: int, size: Size, readout: float = 0.0) -> Float[np.ndarray, "h w 3"]:
    """The layers in linear light, as seen at one instant.

    Args:
        layers: the background first.
        step: of the path.
        size: of the view.
        readout: steps from the first row's instant to the last one's, `step` being that of the middle; 0: all at once.
    """
    if readout == 0:
        return _seen(layers, step, size)
    width, height = size
    edges = np.linspace(0, height, _BANDS + 1).round().astype(int)
    parts: list[Float[np.ndarray, "h w 3"]] = []
    for top, bottom in pairwise(edges.tolist()):
        late = step + round(readout * ((top + bottom) / 2 / height - 0.5))
        parts.append(_seen(layers, int(np.clip(late, 0, len(layers[0].matrices) - 1)), (width, bottom - top), top))
    return np.concatenate(parts)


def _seen(layers: Sequence[Layer], step: int, size: Size, top: int = 0) -> Float[np.ndarray, "h w 3"]:
    """Rows from `top` on."""
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    matrices = [_from_row(layer.matrices[step], top) for layer in layers]
    scene = cv2.warpAffine(layers[0].picture, matrices[0], size, flags=how, borderMode=cv2.BORDER_REFLECT_101)
    for layer, matrix in zip(layers[1:], matrices[1:], strict=True):
        assert layer.opacity is not None
        linear = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        opacity = cv2.warpAffine(layer.opacity, matrix, size, flags=linear)[..., None]
        if opacity.any():
            picture = cv2.warpAffine(layer.picture, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
            scene = scene + opacity * (picture - scene)
    return scene


def _from_row(matrix: Float[np.ndarray, "2 3"], top: int) -> Float[np.ndarray, "2 3"]:
    """The same map for a view that begins `top` rows lower."""
    if top == 0:
        return matrix
    lower = matrix.copy()
    lower[:, 2] += top * matrix[:, 1]
    return lower
