"""Summary: what became of a fleet's clips, for people and for programs."""

from dataclasses import dataclass
from typing import Any

from selfhvd.fleet.ledger import Aside, Ledger, Tally


@dataclass(frozen=True)
class Summary:
    """How far a fleet is, or how it ended."""

    tally: Tally
    frames: int
    """Of the clips that are done."""
    seconds: float
    """That these took, of all nodes together."""
    longest: float
    """Seconds of the clip that took longest."""
    nodes: dict[str, tuple[int, float]]
    """Name of a node to clips that it finished and seconds they took."""
    aside: tuple[Aside, ...]

    def facts(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "clips": self.tally.clips,
            "done": self.tally.done,
            "aside": self.tally.aside,
            "left": self.tally.left,
            "frames": self.frames,
            "seconds": round(self.seconds, 1),
            "longest_s": round(self.longest, 1),
            "nodes": {name: {"clips": clips, "seconds": round(took, 1)} for name, (clips, took) in self.nodes.items()},
            "failures": [vars(aside) for aside in self.aside],
        }


def summary_of(ledger: Ledger) -> Summary:
    """What the ledger says now."""
    frames, seconds, longest = ledger.totals()
    return Summary(ledger.tally(), frames, seconds, longest, ledger.by_node(), tuple(ledger.aside()))
