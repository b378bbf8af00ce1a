"""Supervised pairs as batches: what every baseline makes of a clip, whatever it makes them from."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfhvd.errors import UsageError
from selfhvd.method.batch import Batch

Share = tuple[int, int]
"""Rank of a process, and how many processes make a batch together."""
ALL: Share = (0, 1)


@dataclass(frozen=True)
class Pair:
    """One window of a batch: what is shown, and what it should become."""

    frames: Float[Tensor, "frame 3 height width"]
    guides: Float[Tensor, "frame guide 3 height width"]
    trust: Float[Tensor, "frame guide 1 height width"]
    target: Float[Tensor, "frame 3 height width"]
    weight: Float[Tensor, " frame"]


class Pairs(ABC):
    """Endless batches of pairs; window `number` of step `step` hangs on (seed, step, number) and on nothing else.

    Args:
        size: windows a batch.
        seed: of every draw.
        share: which of a batch's windows this process makes.

    Raises:
        UsageError: a process would have no window to make.
    """

    def __init__(self, size: int, seed: int, share: Share = ALL) -> None:
        rank, processes = share
        if not 0 <= rank < processes <= size:
            raise UsageError(
                f"A batch of {size} windows cannot be shared by process {rank} of {processes};"
                " each of them needs at least one."
            )
        self.size, self.seed, self.share = size, seed, share

    def draw(self, step: int) -> Batch:
        """The batch of `step`, on the CPU: this process's windows of it."""
        rank, processes = self.share
        numbers = range(rank, self.size, processes)
        return as_batch([self.pair(np.random.default_rng([self.seed, step, number])) for number in numbers])

    @abstractmethod
    def pair(self, rng: np.random.Generator) -> Pair:
        """One window; every draw comes from `rng`."""


def as_batch(pairs: list[Pair]) -> Batch:
    """Pairs of one size, as the training loop takes them: nothing is masked, no frame stands for another."""
    stacked = {f.name: torch.stack([getattr(pair, f.name) for pair in pairs]) for f in fields(Pair)}
    windows, length = stacked["frames"].shape[:2]
    return Batch(
        **stacked,
        all_guides=stacked["guides"],
        all_trust=stacked["trust"],
        standing=torch.arange(length).repeat(windows, 1),
        mask=torch.ones_like(stacked["target"][:, :, :1]),
        visible=torch.ones(windows, length),
    )


def without_guides(
    frames: Float[Tensor, "frame 3 height width"], count: int
) -> tuple[Float[Tensor, "frame guide 3 height width"], Float[Tensor, "frame guide 1 height width"]]:
    """`count` guides that show the frame itself and are not to be trusted, and their trust."""
    guides = frames[:, None].repeat(1, count, 1, 1, 1)
    return guides, torch.zeros_like(guides[:, :, :1])


@dataclass(frozen=True)
class Turn:
    """Quarter turns, then perhaps a flip: the augmentation of all that belongs together."""

    quarters: int
    flip: bool

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Turn":
        """One of the eight ways to lay a square down."""
        return cls(int(rng.integers(4)), bool(rng.integers(2)))

    def __call__(self, image: Float[Tensor, "*batch side side"]) -> Float[Tensor, "*batch side side"]:
        """Turn a square image, or many alike."""
        turned = torch.rot90(image, self.quarters, dims=(-2, -1))
        return (turned.flip(-1) if self.flip else turned).contiguous()


def crop_side(wanted: int, height: int, width: int) -> int:
    """Side of the square crops: `wanted` or what the place allows, a multiple of 8 where there are 8 pixels."""
    side = min(wanted, height, width)
    return side // 8 * 8 or side
