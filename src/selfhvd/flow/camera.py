"""Camera first: hand shake is mostly a homography; find that, then let a free flow find what moves on its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfhvd.flow.homography import Grey, Homography, find_homography, is_plausible
from selfhvd.flow.predictor import Flow, FlowPredictor
from selfhvd.flow.shutter import Path, find_camera, find_path, light
from selfhvd.flow.threads import side_by_side
from selfhvd.ops.grid import pixel_grid
from selfhvd.ops.warp import warp, warp_clamped

_LEAST_SIDE = 64
"""Pixels; smaller frames go to the free flow as they are."""
_BLURRIER = 0.7
"""Part of the other image's detail below which an image counts as blurred by its exposure."""
_AROUND = 21
"""Pixels a side around each, over which the rest of the flow is averaged."""


@dataclass(frozen=True)
class _Seen:
    """A second image as the camera of the first would have seen it."""

    camera: Path
    moved: Float[Tensor, "1 xy=2 height width"]
    """The camera's flow, on the grid of the first image."""
    second: Float[Tensor, "1 3 height width"]
    """Brought over by it, and blurred along the path of the first one's exposure."""


class CameraFirst(FlowPredictor):
    """A free flow, helped over large shakes and steadied where nothing moves on its own (ours, not the paper's).

    Turning a phone on the spot moves the whole image by one homography, whatever the depth of the scene.

    1. Camera: `find_homography`, to which the free flow's own consensus is one more proposal.
    2. Shutter: where the first image is the blurrier one, the camera's path during its exposure is found, too: the same
       whichever sharp image shows it.
    3. The second image is brought over to the middle of that path and blurred along it, so that like is compared with
       like, and the free flow finds the rest.
    4. Where the mean of that rest around a pixel is shorter than `near` it is estimation error and is dropped; from
       `far` on it stands. Errors of neighbouring pixels cancel, so even the small parallax of a real scene tells.

    Args:
        free: the predictor to help.
        near: pixels of the mean up to which the rest is dropped; so small for the parallax of real scenes
            (docs/ablations.md#flow.near).
        far: pixels of the mean from which on the rest stands.
        shutter: whether step 2 is taken; without it frames are matched as they are, for measuring and for baselines.
    """

    def __init__(self, free: FlowPredictor, near: float = 0.3, far: float = 0.6, *, shutter: bool = True) -> None:
        self.name = free.name
        self.free, self.near, self.far, self.shutter = free, near, far, shutter

    def __call__(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
    ) -> Flow:
        """See `FlowPredictor`."""
        return _stacked([self._there(a, b) for a, b in zip(first.split(1), second.split(1), strict=True)])

    def both(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
    ) -> tuple[Flow, Flow]:
        """One camera serves both directions: the way back is its inverse."""
        pairs = zip(first.split(1), second.split(1), strict=True)
        ways = [self._ways(a, b, self.camera(a, b)) for a, b in pairs]
        return _stacked([there for there, _ in ways]), _stacked([back for _, back in ways])

    def several(
        self, first: Float[Tensor, "1 3 height width"], seconds: Sequence[Float[Tensor, "1 3 height width"]]
    ) -> list[tuple[Flow, Flow]]:
        """See `FlowPredictor`. The path that the first two of `seconds` agree on is taken for that of all."""
        nearest = side_by_side(lambda second: self.camera(first, second), seconds[:2])
        paths = [path for path in nearest if path is not None]
        known = paths[0] if len(paths) == 2 and paths[0].is_like(paths[1]) else None
        others = side_by_side(lambda second: self.camera(first, second, known), seconds[2:])
        pairs = list(zip(seconds, [*nearest, *others], strict=True))
        return side_by_side(lambda pair: self._ways(first, *pair), pairs)

    def _there(self, first: Float[Tensor, "1 3 height width"], second: Float[Tensor, "1 3 height width"]) -> Flow:
        camera = self.camera(first, second)
        if camera is None:
            return self.free(first, second)
        seen = _seen(camera, first, second)
        return self._on_there(seen, self.free(first, seen.second))

    def _ways(
        self, first: Float[Tensor, "1 3 height width"], second: Float[Tensor, "1 3 height width"], camera: Path | None
    ) -> tuple[Flow, Flow]:
        if camera is None:
            return self.free.both(first, second)
        seen = _seen(camera, first, second)
        there, back = self.free.both(first, seen.second)
        return self._on_there(seen, there), self._on_back(seen, back)

    def _on_there(self, seen: "_Seen", rest: Flow) -> Flow:
        """The rest leads to a place in the brought-over image; the camera's flow there leads on into the second one."""
        own = self._own(rest)
        return Flow(own + warp_clamped(seen.moved, own), rest.certainty)

    def _on_back(self, seen: "_Seen", rest: Flow) -> Flow:
        """The camera's flow leads to a place in the first image; the rest found there leads on."""
        moved = homography_flow(np.linalg.inv(seen.camera.middle), seen.second)
        return Flow(moved + warp(self._own(rest), moved), warp(rest.certainty, moved))

    def _own(self, rest: Flow) -> Float[Tensor, "1 xy=2 height width"]:
        """What is no estimation error of a flow that should be zero where only the camera moves."""
        means = [cv2.blur(part, (_AROUND, _AROUND)) for part in rest.field[0].cpu().numpy()]
        away = torch.hypot(*torch.from_numpy(np.stack(means)).to(rest.field).split(1))
        return ((away - self.near) / (self.far - self.near)).clamp(0, 1) * rest.field

    def camera(
        self,
        first: Float[Tensor, "1 3 height width"],
        second: Float[Tensor, "1 3 height width"],
        known: Path | None = None,
    ) -> Path | None:
        """How the camera moved from `first` to `second`, and in `first`; None where no motion explains the images.

        `known`: a path in `first` that another image has shown.
        """
        if min(first.shape[-2:]) < _LEAST_SIDE:
            return None
        a, b = _grey(first), _grey(second)
        best = find_homography(a, b, self._consensus(first, second))
        if best is None:
            return None
        lights = light(first), light(second)
        path: Path | None = None
        if self.shutter and _detail(a) < _BLURRIER * _detail(b):
            path = None if known is None else find_path(*lights, best, known)
            path = path or find_path(*lights, best)
        path = path or Path.still(find_camera(*lights, best))
        return path if is_plausible(path.middle, a.shape) else Path.still(best)

    def _consensus(
        self, first: Float[Tensor, "1 3 height width"], second: Float[Tensor, "1 3 height width"]
    ) -> Homography | None:
        """What most of the free flow agrees on, at half the size."""
        small, other = (F.avg_pool2d(image, 2) for image in (first, second))
        field = self.free(small, other).field[0]
        grid = pixel_grid(*field.shape[-2:], like=field)
        picks = (slice(None), slice(2, None, 4), slice(2, None, 4))
        # The middle of two by two pixels lies half a pixel beyond the first.
        start, end = (2 * points[picks].flatten(1).T.cpu().numpy() + 0.5 for points in (grid, grid + field))
        cv2.setRNGSeed(0)
        return cv2.findHomography(start, end, cv2.USAC_MAGSAC, 1.0, maxIters=300, confidence=0.99)[0]


def _seen(camera: Path, first: Float[Tensor, "1 3 height width"], second: Float[Tensor, "1 3 height width"]) -> _Seen:
    moved = homography_flow(camera.middle, first)
    return _Seen(camera, moved, camera.blurred(warp(second, moved)))


def _grey(image: Float[Tensor, "1 3 height width"]) -> Grey:
    return (255 * image[0].mean(dim=0)).cpu().numpy().astype(np.float32)


def _detail(image: Grey) -> float:
    """Mean square of the Laplacian at half the size, where noise counts less."""
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return float(np.square(cv2.Laplacian(small, cv2.CV_32F)).mean())


def homography_flow(matrix: Homography, like: Float[Tensor, "1 3 height width"]) -> Float[Tensor, "1 2 height width"]:
    """The flow p -> H(p) - p on the grid of `like`."""
    x, y = pixel_grid(*like.shape[-2:], like=like)
    mapped = torch.einsum("ij,jhw->ihw", torch.from_numpy(matrix).to(like), torch.stack([x, y, torch.ones_like(x)]))
    return (mapped[:2] / mapped[2:] - torch.stack([x, y]))[None]


def _stacked(flows: list[Flow]) -> Flow:
    return Flow(torch.cat([f.field for f in flows]), torch.cat([f.certainty for f in flows]))
