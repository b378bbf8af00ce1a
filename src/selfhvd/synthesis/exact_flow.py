"""The flow that is known because we made the motion."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def exact_flow(
    first: Float[np.ndarray, "rows 3"], second: Float[np.ndarray, "rows 3"], height: int, width: int
) -> Float[Tensor, "xy=2 height width"]:
    """Flow from one truth of a clip into another, of one layer: p -> second^-1(first(p)) - p.

    Exact wherever the layer is seen in both; outside of the second view it says where the point would be.

    Args:
        first: the layer's map from view to picture pixels when the first was taken (`Exposure.matrices`), affine (2
            rows) or a homography (3).
        second: the same for the second.
        height: of the view, pixels.
        width: of the view, pixels.
    """
    y, x = np.mgrid[0:height, 0:width].astype(float)
    points = np.stack([x, y, np.ones_like(x)])
    first_to_second = np.linalg.solve(_square(second), _square(first))
    places = np.einsum("ij,jhw->ihw", first_to_second, points)
    return torch.from_numpy((places[:2] / places[2:] - points[:2]).astype(np.float32))


def _square(matrix: Float[np.ndarray, "rows 3"]) -> Float[np.ndarray, "3 3"]:
    return matrix if len(matrix) == 3 else np.vstack([matrix, [0.0, 0.0, 1.0]])
