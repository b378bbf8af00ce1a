"""Gauss and Newton with Cauchy weights, for many pairs at once: homography, path, gain and offset together.

The model and its priors are those of `selfhvd.flow.camera.exposure_fit`; what ends a search there, a mask does here.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfhvd.flow.camera import exposure_model as model
from selfhvd.flow.device.level import Level
from selfhvd.flow.device.trajectory import Trajectories
from selfhvd.flow.device.units import Homographies
from selfhvd.ops.light import GAMMA
from selfhvd.ops.order import quantile_where
from selfhvd.ops.solve import solved

_POSE, _MOVES = 8, 4


@dataclass(frozen=True)
class Found:
    """Paths, and for which pairs there is one."""

    path: Trajectories
    holds: Bool[Tensor, " pair"]


def refined(level: Level, path: Trajectories, rounds: int, *, moving: bool, linear: bool = True) -> Found:
    """`path` after so many rounds; where a pair does not hold, the last one that did.

    Args:
        level: the images; linear light, or codes.
        path: the start.
        rounds: how many.
        moving: velocity and acceleration are looked for, too.
        linear: whether the images are linear light, in which a difference counts by how it is seen.
    """
    holds = torch.ones_like(path.extent, dtype=torch.bool)
    gain, offset = torch.ones_like(path.extent), torch.zeros_like(path.extent)
    steepness = level.target.clamp(min=model.DARK) ** (1 / GAMMA - 1) if linear else torch.ones_like(level.target)
    still = not moving and _is_still(path)
    for _ in range(rounds):
        brought = level.brought(path.middle)
        seen = level.shown(brought) if still else level.exposed(brought, path)
        weight = steepness * seen.known
        rest = weight * (level.target - gain[:, None] * seen.values - offset[:, None])
        spread = model.MAD_TO_SIGMA * quantile_where(rest.abs(), seen.known, 0.5).nan_to_num(posinf=0.0) + 1e-5
        ways = [level.poses, level.moves, level.moves][: 3 if moving else 1]
        columns = [torch.einsum("bxq,kxq->bkq", slope, way) for slope, way in zip(seen.slopes, ways, strict=False)]
        flat = torch.stack([seen.values, torch.ones_like(seen.values)], dim=1)
        jacobian = weight[:, None] * torch.cat([gain[:, None, None] * torch.cat(columns, dim=1), flat], dim=1)
        trusted = jacobian / (1 + (rest / (3 * spread[:, None])) ** 2)[:, None]
        matrix, right = trusted @ jacobian.mT, (trusted @ rest[..., None])[..., 0]
        strength, pull = _prior(level, path, spread, moving=moving)
        diagonal = strength + model.DAMPING * matrix.diagonal(dim1=1, dim2=2)
        step = solved(matrix + torch.diag_embed(diagonal), right - strength * pull)
        holds = holds & (seen.known.float().mean(dim=1) >= model.LEAST_OVERLAP) & step.isfinite().all(dim=1)
        moved = _stepped(level, path, step, moving=moving)
        holds = holds & (moved.extent <= 2)
        path = moved.where(holds, path)
        gain, offset = (
            torch.where(holds, value + step[:, place], value) for value, place in ((gain, -2), (offset, -1))
        )
    return Found(path, holds)


def _is_still(path: Trajectories) -> bool:
    """Whether the paths are no motion by the way they were made, which the device need not be asked."""
    return path.velocity is path.acceleration


def _stepped(level: Level, path: Trajectories, step: Float[Tensor, "pair unknown"], *, moving: bool) -> Trajectories:
    pixels = step / level.units.unit
    middle = path.middle @ _tilted(pixels[:, :_POSE])
    middle = middle / middle[:, 2:, 2:]
    if not moving:
        return replace(path, middle=middle)
    velocity, acceleration = pixels[:, _POSE : _POSE + _MOVES], pixels[:, _POSE + _MOVES : _POSE + 2 * _MOVES]
    velocity, acceleration = path.velocity + velocity, path.acceleration + acceleration
    return replace(path, middle=middle, velocity=velocity, acceleration=acceleration)


def _tilted(step: Float[Tensor, "pair pose=8"]) -> Homographies:
    """The homography p -> p + Σ step · pose, to first order."""
    right, down, xx, xy, yx, yy, tilt_x, tilt_y = step.unbind(1)
    one = torch.ones_like(right)
    rows = [torch.stack(row, dim=1) for row in ((1 + xx, xy, right), (yx, 1 + yy, down), (-tilt_x, -tilt_y, one))]
    return torch.stack(rows, dim=1)


def _prior(
    level: Level, path: Trajectories, spread: Float[Tensor, " pair"], *, moving: bool
) -> tuple[Float[Tensor, "pair unknown"], Float[Tensor, "pair unknown"]]:
    """Strength and pull of what is known before: little acceleration beside the speed, little turning."""
    unit, width = level.units.unit, 1 / model.PRIOR_WIDTH**2
    pixel = unit / model.TURN
    free = torch.full_like(spread[:, None], width)
    if not moving:
        return spread.square()[:, None] * free.expand(-1, _POSE + 2), torch.zeros_like(free).expand(-1, _POSE + 2)
    odd = (model.ODDITY * (unit * path.extent + 0.5 * pixel)).square().reciprocal()[:, None]
    turning = torch.full_like(free, 1 / pixel**2)
    strength = [free.expand(-1, _POSE + 2), turning.expand(-1, 2), odd.expand(-1, 4), free.expand(-1, 2)]
    none = torch.zeros_like(free)
    pull = [none.expand(-1, _POSE + 2), unit * path.velocity[:, 2:], unit * path.acceleration, none.expand(-1, 2)]
    return spread.square()[:, None] * torch.cat(strength, dim=1), torch.cat(pull, dim=1)
