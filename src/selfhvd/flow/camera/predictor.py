"""Camera first: hand shake is mostly a homography; find that, then let a free flow find what moves on its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.camera.explained import Witness, explained, lights
from selfhvd.flow.camera.exposure_fit import fit_trajectory, refine_homography
from selfhvd.flow.camera.exposure_path import ExposureTrajectory, linear_light
from selfhvd.flow.camera.homography import Grey, explains, find_homography, is_plausible
from selfhvd.flow.camera.scene_blur import SceneBlur, scene_blur
from selfhvd.flow.camera.threads import side_by_side
from selfhvd.flow.predictor import Flow, FlowPredictor, Homography, Hop, Motion
from selfhvd.ops.grid import pixel_grid
from selfhvd.ops.resize import halved
from selfhvd.ops.warp import warp, warp_clamped

LEAST_SIDE = 64
"""Pixels; smaller frames go to the free flow as they are."""
BLURRIER = 0.7
"""Part of the other image's detail below which an image counts as blurred by its exposure."""
AROUND = 21
"""Pixels a side around each, over which the rest of the flow is averaged."""


@dataclass(frozen=True)
class _Seen:
    """A second image as the camera of the first would have seen it."""

    camera: ExposureTrajectory
    moved: Float[Tensor, "1 xy=2 height width"]
    """The camera's flow, on the grid of the first image."""
    sharp: Float[Tensor, "1 3 height width"]
    """Brought over by it."""
    second: Float[Tensor, "1 3 height width"]
    """And blurred along the path of the first one's exposure."""
    glare: Float[Tensor, "1 1 height width"]
    """Its `lights`, blurred so, too."""
    shown: Bool[Tensor, "1 1 height width"]
    """Where that shows anything: elsewhere the second image ends."""


class GlobalMotionFlow(FlowPredictor):
    """A free flow, helped over large shakes and steadied where nothing moves on its own (ours, not the paper's).

    Turning a phone on the spot moves the whole image by one homography, whatever the depth of the scene.

    1. Camera: `find_homography`, to which the free flow's own consensus is one more proposal.
    2. Shutter: where the first image is the blurrier one, the camera's path during its exposure is found, too: the same
       whichever sharp image shows it.
    3. The second image is brought over to the middle of that path and blurred along it, so that like is compared with
       like, and the free flow finds the rest.
    4. Where the mean of that rest around a pixel is shorter than `near` it is estimation error and is dropped; from
       `far` on it stands. Errors of neighbouring pixels cancel, so even the small parallax of a real scene tells.
    5. Where no path is found and several sharp images are there, each pixel is blurred along its own way
       (`scene_blur`), and the free flow finds the rest again.
    6. Where the second image, moved and blurred so, does not show what the first does, the flow is not sure.

    Args:
        free: the predictor to help.
        near: pixels of the mean up to which the rest is dropped; so small for the parallax of real scenes
            (docs/ablations.md#flow.near).
        far: pixels of the mean from which on the rest stands.
        shutter: whether steps 2, 5 and 6 are taken; without them frames are matched as they are, for measuring and for
            baselines.
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
        return self.both(first, second)[0]

    def both(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
    ) -> tuple[Flow, Flow]:
        """One camera serves both directions: the way back is its inverse."""
        pairs = zip(first.split(1), second.split(1), strict=True)
        found = [self._motion(Witness(a), b, self.camera(a, b)) for a, b in pairs]
        return _stacked([motion.there for motion in found]), _stacked([motion.back for motion in found])

    def motions(
        self,
        first: Float[Tensor, "1 3 height width"],
        seconds: Sequence[Float[Tensor, "1 3 height width"]],
        hops: Sequence[Hop | None] = (),
    ) -> list[Motion]:
        """See `FlowPredictor`. The path that the first two of `seconds` agree on is taken for that of all.

        With `hops` the camera is looked for in the first two alone: from there it leads on to the others, where the
        images agree.
        """
        nearest = side_by_side(lambda second: self.camera(first, second), seconds[:2])
        paths = [path for path in nearest if path is not None]
        known = paths[0] if len(paths) == 2 and paths[0].is_like(paths[1]) else None
        further = [(seconds[n], _led(nearest, hops[n] if hops else None)) for n in range(2, len(seconds))]
        others = side_by_side(lambda pair: self.camera(first, pair[0], known, led=pair[1]), further)
        pairs = list(zip(seconds, [*nearest, *others], strict=True))
        witness = Witness(first)
        found = side_by_side(lambda pair: self._motion(witness, *pair), pairs)
        if not self.shutter or len(seconds) < 2 or known is not None or not self._is_unexplained(first, pairs[:2]):
            return found
        blur = scene_blur(first, seconds, [motion.there.field for motion in found])
        return side_by_side(lambda n: self._smeared(first, seconds[n], found[n], blur), range(len(seconds)))

    def _is_unexplained(
        self,
        first: Float[Tensor, "1 3 height width"],
        pairs: Sequence[tuple[Float[Tensor, "1 3 height width"], ExposureTrajectory | None]],
    ) -> bool:
        """Whether `first` is the blurrier one, and no path of the camera says why."""
        seconds, cameras = zip(*pairs, strict=True)
        least = min(_detail(_grey(second)) for second in seconds)
        still = all(camera is None or camera.blur_extent == 0 for camera in cameras)
        return still and _detail(_grey(first)) < BLURRIER * least

    def _smeared(
        self,
        first: Float[Tensor, "1 3 height width"],
        second: Float[Tensor, "1 3 height width"],
        motion: Motion,
        blur: SceneBlur,
    ) -> Motion:
        """`motion`, told again from images that are blurred alike."""
        before = motion.there.field
        rest = self.free(first, blur.seen(second, before))
        own = self._own(rest)
        field = own + warp_clamped(before, own)
        seen = blur.seen(torch.cat([second, lights(second)], dim=1), field)
        trust = explained(first, seen[:, :3], warp_clamped(second, field), seen[:, 3:])
        return Motion(_sure(Flow(field, rest.certainty), trust), motion.back, motion.camera)

    def between(
        self,
        first: Float[Tensor, "1 3 height width"],
        second: Float[Tensor, "1 3 height width"],
        camera: Homography | None = None,
    ) -> Motion:
        """The motion of one pair; `camera`: the camera's, as known from elsewhere, taken where the images agree."""
        led = None if camera is None or _is_blurrier(first, second) else ExposureTrajectory.still(camera)
        return self._motion(Witness(first), second, self.camera(first, second, led=led))

    def _motion(
        self, witness: Witness, second: Float[Tensor, "1 3 height width"], camera: ExposureTrajectory | None
    ) -> Motion:
        first = witness.blurry
        if camera is None:
            return Motion(*self.free.both(first, second))
        seen = _seen(camera, first, second)
        there, back = self.free.rest(first, seen.second, seen.shown, 0.5 * (self.near + self.far))
        if self.shutter:
            brought = [_led_by(there, image) for image in (seen.second, seen.sharp, seen.glare)]
            there = _sure(there, witness.explained(*brought))
        return Motion(self._on_there(seen, there), self._on_back(seen, back), camera.middle)

    def _on_there(self, seen: "_Seen", rest: Flow) -> Flow:
        """The rest leads to a place in the brought-over image; the camera's flow there leads on into the second one."""
        if _is_still(rest):
            return Flow(seen.moved, rest.certainty)
        own = self._own(rest)
        return Flow(own + warp_clamped(seen.moved, own), rest.certainty)

    def _on_back(self, seen: "_Seen", rest: Flow) -> Flow:
        """The camera's flow leads to a place in the first image; the rest found there leads on."""
        moved = homography_flow(np.linalg.inv(seen.camera.middle), seen.second)
        certainty = warp(rest.certainty, moved)
        return Flow(moved if _is_still(rest) else moved + warp(self._own(rest), moved), certainty)

    def _own(self, rest: Flow) -> Float[Tensor, "1 xy=2 height width"]:
        """What is no estimation error of a flow that should be zero where only the camera moves."""
        means = [cv2.blur(part, (AROUND, AROUND)) for part in rest.field[0].cpu().numpy()]
        away = torch.hypot(*torch.from_numpy(np.stack(means)).to(rest.field).split(1))
        return ((away - self.near) / (self.far - self.near)).clamp(0, 1) * rest.field

    def camera(
        self,
        first: Float[Tensor, "1 3 height width"],
        second: Float[Tensor, "1 3 height width"],
        known: ExposureTrajectory | None = None,
        led: ExposureTrajectory | None = None,
    ) -> ExposureTrajectory | None:
        """How the camera moved from `first` to `second`, and in `first`; None where no motion explains the images.

        `known`: a path in `first` that another image has shown; `led`: the motion, as known from elsewhere, taken where
        it explains the images.
        """
        if min(first.shape[-2:]) < LEAST_SIDE:
            return None
        a, b = _grey(first), _grey(second)
        if led is not None and explains(led.middle, a, b):
            return led
        best = find_homography(a, b, self._consensus(first, second))
        if best is None:
            return None
        lights = linear_light(first), linear_light(second)
        path: ExposureTrajectory | None = None
        if self.shutter and _detail(a) < BLURRIER * _detail(b):
            path = None if known is None else fit_trajectory(*lights, best, known)
            path = path or fit_trajectory(*lights, best)
        if path is None:
            path = ExposureTrajectory.still(refine_homography(*lights, best))
        return path if is_plausible(path.middle, a.shape) else ExposureTrajectory.still(best)

    def _consensus(
        self, first: Float[Tensor, "1 3 height width"], second: Float[Tensor, "1 3 height width"]
    ) -> Homography | None:
        """What most of the free flow agrees on, at half the size."""
        small, other = (halved(image) for image in (first, second))
        field = self.free.field(small, other)[0]
        grid = pixel_grid(*field.shape[-2:], like=field)
        picks = (slice(None), slice(2, None, 4), slice(2, None, 4))
        # The middle of two by two pixels lies half a pixel beyond the first.
        start, end = (2 * points[picks].flatten(1).T.cpu().numpy() + 0.5 for points in (grid, grid + field))
        cv2.setRNGSeed(0)
        return cv2.findHomography(start, end, cv2.USAC_MAGSAC, 1.0, maxIters=300, confidence=0.99)[0]


def _seen(
    camera: ExposureTrajectory, first: Float[Tensor, "1 3 height width"], second: Float[Tensor, "1 3 height width"]
) -> _Seen:
    moved = homography_flow(camera.middle, first)
    sharp = warp(second, moved)
    blurred = camera.blurred(torch.cat([sharp, lights(sharp)], dim=1))
    return _Seen(camera, moved, sharp, blurred[:, :3], blurred[:, 3:], _within(moved))


def _within(flow: Float[Tensor, "1 xy=2 height width"]) -> Bool[Tensor, "1 1 height width"]:
    """Where a flow ends inside the picture."""
    height, width = flow.shape[-2:]
    x, y = (pixel_grid(height, width, like=flow) + flow).split(1, dim=1)
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def _led(cameras: Sequence[ExposureTrajectory | None], hop: Hop | None) -> ExposureTrajectory | None:
    """The motion to another image, one `hop` further."""
    before = None if hop is None else cameras[hop.start]
    return None if before is None or hop is None else replace(before, middle=hop.camera @ before.middle)


def _is_blurrier(first: Float[Tensor, "1 3 height width"], second: Float[Tensor, "1 3 height width"]) -> bool:
    return _detail(_grey(first)) < BLURRIER * _detail(_grey(second))


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


def _is_still(flow: Flow) -> bool:
    return not flow.field.any()


def _led_by(flow: Flow, image: Float[Tensor, "1 channel height width"]) -> Float[Tensor, "1 channel height width"]:
    return image if _is_still(flow) else warp_clamped(image, flow.field)


def _stacked(flows: list[Flow]) -> Flow:
    return Flow(torch.cat([f.field for f in flows]), torch.cat([f.certainty for f in flows]))


def _sure(flow: Flow, trust: Float[Tensor, "1 1 height width"]) -> Flow:
    """`flow`, as sure as it was where it is to be trusted."""
    return Flow(flow.field, flow.certainty * trust)
