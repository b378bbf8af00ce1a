"""A plane in the world, with a picture on it, as a camera that moves sees it."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from selfhvd.synthesis.walk import Walk

Picture = Float[np.ndarray, "h w 4"]
"""Linear light, which may exceed 1, and opacity in [0, 1]; float32."""


@dataclass(frozen=True)
class Layer:
    """An upright plane; behind it, other planes."""

    picture: Picture
    depth: float
    """Metres from the camera's start; a pixel of the picture is a pixel of the view when seen from there."""
    position: Float[np.ndarray, "step xy=2"]
    """Where the middle of the picture is, metres right of and below the camera's start."""
    turn: Float[np.ndarray, " step"]
    """Radians about the vertical."""

    def matrices(self, camera: Walk, focal: float, size: tuple[int, int]) -> Float[np.ndarray, "step 3 3"]:
        """Homographies from pixels of the view (`size`: width, height) to pixels of the picture, one a step."""
        height, width = self.picture.shape[:2]
        inner = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1]])
        zero = np.zeros(len(self.turn))
        metre = self.depth / focal
        right = metre * np.stack([np.cos(self.turn), zero, np.sin(self.turn)], axis=1)
        down = metre * np.stack([zero, zero + 1, zero], axis=1)
        middle = np.concatenate([self.position, (zero + self.depth)[:, None]], axis=1)
        corner = middle - right * (width - 1) / 2 - down * (height - 1) / 2
        plane = np.stack([right, down, corner - camera.position], axis=2)
        found = np.linalg.inv(inner @ camera.rotation.transpose(0, 2, 1) @ plane)
        return found / found[:, 2:, 2:]


def see(
    picture: Picture, rows: Float[np.ndarray, "height 3 3"], width: int, endless: bool
) -> Float[np.ndarray, "height width 4"]:
    """A picture through the homographies of each row of the view, which need not be taken at one instant.

    Args:
        picture: as in `Layer`.
        rows: from view to picture pixels.
        width: of the view.
        endless: beyond its border the picture is mirrored; otherwise there is nothing.
    """
    x, y = np.arange(width), np.arange(len(rows))[:, None]
    along, across, rest = rows[:, :, 0, None], rows[:, :, 1, None], rows[:, :, 2, None]
    places = along * x + across * y[:, None] + rest
    sides = (places[:, :2] / places[:, 2:]).astype(np.float32)
    # What is brighter than white would ring.
    how = cv2.INTER_LINEAR if picture.max() > 1 else cv2.INTER_CUBIC
    border = cv2.BORDER_REFLECT_101 if endless else cv2.BORDER_CONSTANT
    seen = cv2.remap(picture, np.ascontiguousarray(sides[:, 0]), np.ascontiguousarray(sides[:, 1]), how, None, border)
    return np.maximum(seen, 0)
