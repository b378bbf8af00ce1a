"""What `selfhvd fleet` says while it works."""

import json
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from selfhvd.cli.progress import Style
from selfhvd.cli.words import say
from selfhvd.forecast.words import rough

if TYPE_CHECKING:
    from selfhvd.fleet.driver import State
    from selfhvd.fleet.order import Order, Outcome

_LINE_EVERY = 15.0
"""Seconds between two lines."""


class FleetWords:
    """Lines on stderr, or JSON."""

    def __init__(self, style: Style, quiet: bool) -> None:
        self._style: Style = style
        self._quiet = quiet or style == "none"
        self._next = 0.0

    def state(self, state: "State") -> None:
        """How far it is: every time as JSON, else now and then, and at the end."""
        if self._quiet:
            return
        if self._style == "json":
            sys.stderr.write(json.dumps(state.facts()) + "\n")
        elif time.monotonic() >= self._next or not state.tally.left:
            self._next = time.monotonic() + _LINE_EVERY
            sys.stderr.write(in_one_line(state.facts()) + "\n")
        sys.stderr.flush()

    def trouble(self, order: "Order", outcome: "Outcome", aside: bool) -> None:
        """A clip that failed, as it happens."""
        then = "set aside" if aside else "it is tried again"
        from selfhvd.fleet.storage import shown

        say(
            f"{shown(order.source)}: {outcome.reason} ({then})",
            self._quiet,
            self._style,
            "error" if aside else "warning",
        )

    def note(self, sentence: str) -> None:
        """What a person should know."""
        say(sentence, self._quiet, self._style)


def in_one_line(facts: Mapping[str, Any]) -> str:
    """How far a fleet is: clips, clips an hour, time left, who works."""
    parts = [f"{facts['done']} of {facts['clips']} clips done", f"{facts['at_work']} at work"]
    if facts["aside"]:
        parts.append(f"{facts['aside']} set aside")
    if facts["eta_s"] is not None:
        parts += [f"{facts['clips_an_hour']:g} an hour", f"about {rough(facts['eta_s'])} left"]
    nodes = ", ".join(f"{_of(node, 'name')} {_of(node, 'busy'):g}/{_of(node, 'cpus'):g}" for node in facts["nodes"])
    return "; ".join([*parts, f"CPUs at work: {nodes}" if nodes else "no node"])


def _of(node: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
    return node[name]
