"""Camera first, on a device: `GlobalMotionFlow` for many pairs at once, without a number asked of the device."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.camera.explained import explained, lights
from selfhvd.flow.camera.predictor import AROUND, BLURRIER, LEAST_SIDE
from selfhvd.flow.device.exposure import ExposurePair
from selfhvd.flow.device.fit import Found
from selfhvd.flow.device.homography import find_homographies
from selfhvd.flow.device.scene_blur import SceneBlurs, scene_blurs
from selfhvd.flow.device.trajectory import Trajectories
from selfhvd.flow.device.units import Homographies, Units, is_plausible, mapped
from selfhvd.flow.device.window_flow import WindowFlow
from selfhvd.flow.predictor import Flow, FlowPredictor, Hop, Motion
from selfhvd.ops.flatness import mean_around
from selfhvd.ops.grid import pixel_grid
from selfhvd.ops.light import GAMMA
from selfhvd.ops.solve import inverted
from selfhvd.ops.warp import warp, warp_clamped

Images = Float[Tensor, "pair 3 height width"]
Field = Float[Tensor, "pair xy=2 height width"]
Chosen = Bool[Tensor, " pair"]


@dataclass(frozen=True)
class Cameras:
    """How the cameras moved from the first images to the second ones, and in the first ones."""

    path: Trajectories
    """No motion at all where none was found."""
    known: Chosen
    """Where a motion explains the images."""


class DeviceMotionFlow(FlowPredictor):
    """`GlobalMotionFlow`, its steps 1 to 6, in torch for all pairs together; on whatever device the images are.

    Both ways of a question are answered and one is taken by a mask, so it costs as much for a sharp frame as for a
    blurred one. The free flow's own consensus is no proposal here.

    Args:
        free: the predictor to help; it must stay on the images' device.
        near: pixels of the mean up to which the rest is dropped.
        far: pixels of the mean from which on the rest stands.
        shutter: whether the path of the exposure is looked for and the blurry image asked as a witness.
        device: where it works; flows come back to where the images are. None = there.
    """

    def __init__(
        self,
        free: FlowPredictor | None = None,
        near: float = 0.3,
        far: float = 0.6,
        *,
        shutter: bool = True,
        device: torch.device | None = None,
    ) -> None:
        self.free = WindowFlow() if free is None else free
        self.name = self.free.name
        self.near, self.far, self.shutter, self.device = near, far, shutter, device

    def __call__(self, first: Images, second: Images) -> Flow:
        """See `FlowPredictor`."""
        return self.both(first, second)[0]

    @torch.no_grad()
    def both(self, first: Images, second: Images) -> tuple[Flow, Flow]:
        """One camera serves both directions: the way back is its inverse."""
        a, b = (image.to(self.device or image.device) for image in (first, second))
        there, back = self.free.both(a, b) if _is_small(a) else self._flows(a, b, self.cameras(a, b))
        return _brought(there, first), _brought(back, first)

    @torch.no_grad()
    def motions(
        self, first: Float[Tensor, "1 3 height width"], seconds: Sequence[Float[Tensor, "1 3 height width"]],
        hops: Sequence[Hop | None] = (),
    ) -> list[Motion]:  # fmt: skip
        """See `FlowPredictor`. The path that the first two of `seconds` agree on is taken for that of all.

        `hops` are not needed: each camera is looked for anew.
        """
        if not seconds:
            return []
        others = torch.cat(list(seconds)).to(self.device or first.device)
        firsts = first.to(others.device).expand(len(seconds), -1, -1, -1)
        there, back = self.free.both(firsts, others) if _is_small(firsts) else self._of_one(firsts, others)
        return _each(_brought(there, first), _brought(back, first))

    def _of_one(self, first: Images, second: Images) -> tuple[Flow, Flow]:
        """All of `first` are one image."""
        cameras = self.cameras(first, second, alike=True)
        there, back = self._flows(first, second, cameras)
        if self.shutter and len(first) > 1:
            smeared = self._smeared(first, second, there)
            unexplained = self._is_unexplained(first, second, cameras)
            there = _where(unexplained.expand(len(first)), smeared, there)
        return there, back

    def cameras(self, first: Images, second: Images, *, alike: bool = False) -> Cameras:
        """How the cameras moved; `alike`: all of `first` are one image, so that there is one path in it."""
        units = Units.of(first)
        found = find_homographies(_grey(first), _grey(second))
        pair = ExposurePair(_light(first), _light(second))
        path = Trajectories.still(pair.homographies(found.matrix))
        if self.shutter:
            moving = pair.trajectories(found.matrix)
            if alike and len(first) > 2:
                moving = _agreed(pair, moving, found.matrix, units)
            path = moving.path.where(moving.holds & (_detail(first) < BLURRIER * _detail(second)), path)
        path = path.where(is_plausible(path.middle, units), Trajectories.still(found.matrix))
        return Cameras(path.where(found.holds, _none(path)), found.holds)

    def _flows(self, first: Images, second: Images, cameras: Cameras) -> tuple[Flow, Flow]:
        moved = homography_flows(cameras.path.middle, first)
        shown = in_image(moved)
        sharp = torch.where(cameras.known[:, None, None, None], warp(second, moved), second)
        brought, glare = cameras.path.blurred(torch.cat([sharp, lights(sharp)], dim=1)).split([3, 1], dim=1)
        there, back = self.free.rest(first, brought, shown, 0.5 * (self.near + self.far))
        own, own_back = (self._own(rest.field, cameras.known) for rest in (there, back))
        sure = there.certainty
        if self.shutter:
            trust = explained(first, *(warp_clamped(image, there.field) for image in (brought, sharp, glare)))
            sure = torch.where(cameras.known[:, None, None, None], sure * trust, sure)
        away = homography_flows(inverted(cameras.path.middle), second)
        return (
            Flow(own + warp_clamped(moved, own), sure),
            Flow(away + warp(own_back, away), warp(back.certainty, away)),
        )

    def _own(self, rest: Field, known: Chosen) -> Field:
        """What is no estimation error of a flow that should be zero where only the camera moves."""
        mean = mean_around(rest.flatten(0, 1), AROUND).view_as(rest)
        away = torch.hypot(*mean.split(1, dim=1))
        stands = ((away - self.near) / (self.far - self.near)).clamp(0, 1)
        return torch.where(known[:, None, None, None], stands * rest, rest)

    def _is_unexplained(self, first: Images, second: Images, cameras: Cameras) -> Bool[Tensor, ""]:
        """Whether the first image is the blurrier one, and no path of the camera says why."""
        still = (cameras.path.extent[:2] == 0).all()
        return still & (_detail(first[:1])[0] < BLURRIER * _detail(second[:2]).amin())

    def _smeared(self, first: Images, second: Images, there: Flow) -> Flow:
        """`there`, told again from images that are blurred alike, each pixel along its own way."""
        sharp, flows = (second[:1], second[1:2]), (there.field[:1], there.field[1:2])
        blur = scene_blurs(first[:1], sharp, flows)
        blur = replace(blur, way=blur.way.expand(len(first), -1, -1, -1))
        return self._told_again(first, second, there, blur)

    def _told_again(self, first: Images, second: Images, there: Flow, blur: SceneBlurs) -> Flow:
        rest = self.free(first, blur.seen(second, there.field))
        own = self._own(rest.field, torch.ones_like(first[:, 0, 0, 0], dtype=torch.bool))
        field = own + warp_clamped(there.field, own)
        seen, glare = blur.seen(torch.cat([second, lights(second)], dim=1), field).split([3, 1], dim=1)
        trust = explained(first, seen, warp_clamped(second, field), glare)
        return Flow(field, rest.certainty * trust)


def homography_flows(matrix: Homographies, like: Images) -> Field:
    """The flows p -> H(p) - p, pixels, of homographies between units."""
    units = Units.of(like)
    places = units.places(like)
    return units.pixels(mapped(matrix, places) - places)


def in_image(flow: Field) -> Bool[Tensor, "pair 1 height width"]:
    """Where a flow ends inside the picture."""
    height, width = flow.shape[-2:]
    x, y = (pixel_grid(height, width, like=flow) + flow).split(1, dim=1)
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def _agreed(pair: ExposurePair, found: Found, start: Homographies, units: Units) -> Found:
    """The path that the first two pairs agree on, for the others too where it explains them."""
    path, holds = found.path, found.holds
    one, other = path[:1], path[1:2]
    agree = one.is_like(other, units) & holds[0] & holds[1]
    middle = torch.where(holds[:, None, None], path.middle, start)
    ways = (part.expand(len(holds), *part.shape[1:]) for part in (one.velocity, one.acceleration, one.lead))
    taken = pair.with_known(Trajectories(middle, *ways))
    better = agree & taken.holds & (torch.arange(len(holds), device=holds.device) >= 2)
    return Found(taken.path.where(better, path), holds | better)


def _is_small(image: Images) -> bool:
    return min(image.shape[-2:]) < LEAST_SIDE


def _brought(flow: Flow, like: Images) -> Flow:
    return Flow(flow.field.to(like.device), flow.certainty.to(like.device))


def _none(path: Trajectories) -> Trajectories:
    return Trajectories.still(torch.eye(3, device=path.middle.device).to(path.middle).expand_as(path.middle))


def _each(there: Flow, back: Flow) -> list[Motion]:
    ways = ((flow.field.split(1), flow.certainty.split(1)) for flow in (there, back))
    (fields, sure), (fields_back, sure_back) = ways
    parts = zip(fields, sure, fields_back, sure_back, strict=True)
    return [Motion(Flow(a, b), Flow(c, d)) for a, b, c, d in parts]


def _where(chosen: Chosen, one: Flow, other: Flow) -> Flow:
    at = chosen[:, None, None, None]
    return Flow(torch.where(at, one.field, other.field), torch.where(at, one.certainty, other.certainty))


def _grey(image: Images) -> Float[Tensor, "pair 1 height width"]:
    return image.mean(dim=1, keepdim=True)


def _light(image: Images) -> Float[Tensor, "pair 1 height width"]:
    return image.clamp(0, 1).pow(GAMMA).mean(dim=1, keepdim=True)


def _detail(image: Images) -> Float[Tensor, " pair"]:
    """Mean square of the Laplacian at half the size, where noise counts less."""
    p = F.pad(F.avg_pool2d(_grey(image), 2), (1, 1, 1, 1), mode="reflect")
    around = p[..., :-2, 1:-1] + p[..., 2:, 1:-1] + p[..., 1:-1, :-2] + p[..., 1:-1, 2:]
    return (around - 4 * p[..., 1:-1, 1:-1]).square().mean(dim=(1, 2, 3))
