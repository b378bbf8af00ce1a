"""Orders: what is the same for every clip of a fleet, what a machine is told of one clip, and what it answers."""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selfhvd.fleet.storage import digits_of
from selfhvd.forecast.pace import Pace
from selfhvd.run.config import DeblurConfig
from selfhvd.run.options import RunOptions

GRANT = 2_000_000_000
"""Bytes of memory that a clip is given at first; one that needs more says so, and is asked again with that."""


@dataclass(frozen=True)
class FleetJob:
    """How every clip of a fleet is restored."""

    output: str
    """Folder, or fsspec address, that the results go to."""
    config: DeblurConfig
    options: RunOptions
    work: Path | None = None
    """Folder to work in on each machine, or one that all see; None: beside the results, or the folder for temporary
    files where the results go to an address."""
    quota: int | None = None
    """Bytes that clips may fill in the work area at a time; None: no bound but the disk's."""
    cpus: int = 1
    """That restore a clip, if it is not spread."""
    grant: int = GRANT
    """Bytes of memory of a clip that has not said what it needs."""
    pace: Pace | None = None
    """How fast a node is; None where it was not measured: then nothing is spread."""
    spread_from: float = math.inf
    """Seconds of one worker above which a clip is spread over several."""

    @property
    def name(self) -> str:
        """Eight digits that tell it from other fleets on the same machines."""
        return digits_of(self.output)

    @property
    def area(self) -> Path:
        """The folder of this fleet for unfinished work, on the machine that asks."""
        if self.work is not None:
            return self.work / f"selfhvd-fleet-{self.name}"
        if "://" in self.output:
            return Path(tempfile.gettempdir()) / f"selfhvd-fleet-{self.name}"
        return Path(self.output) / ".fleet"

    @property
    def is_beside(self) -> bool:
        """Whether results are made where they stay, so that any machine that sees that folder goes on with them."""
        return self.work is None and "://" not in self.output


@dataclass(frozen=True)
class Order:
    """One clip to restore."""

    number: int
    """In the ledger."""
    source: str
    """Path or address."""
    result: str
    """Path or address."""
    memory: int = 0
    """Bytes it said that it needs; 0 while it has not."""
    wide: bool = False
    """Whether it is spread over several workers."""
    fresh: bool = True
    """Whether nobody has begun it since the ledger was; only then --restart lets go of its unfinished work."""


Kind = Literal["done", "there", "needs", "later", "failed", "lost", "late", "kept"]
"""done: restored now; there: restored before; needs: more memory, or several workers; later: somebody else is at it,
or there is no room now; failed: it says why; lost: its process or node died; late: it outlasted its time; kept:
restored, and could not be handed over yet."""


@dataclass(frozen=True)
class Outcome:
    """What became of an order."""

    kind: Kind
    reason: str = ""
    node: str = ""
    seconds: float = 0.0
    frames: int = 0
    memory: int = 0
    wide: bool = False
