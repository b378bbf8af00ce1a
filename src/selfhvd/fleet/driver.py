"""Driver: hands clips to whoever restores them, no more than they can take, and writes down what became of each."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from selfhvd.errors import Stopped
from selfhvd.fleet.ledger import LEASE, Ledger, Tally
from selfhvd.fleet.order import Order, Outcome

log = logging.getLogger(__name__)

_TICK = 0.5
"""Seconds that the driver waits for outcomes before it looks around."""
_BEAT = LEASE / 12
"""Seconds between two words to the ledger that it lives."""
_RATE_OVER = 600.0
"""Seconds over which the rate is taken."""


@dataclass(frozen=True)
class NodeUse:
    """A machine at work."""

    name: str
    cpus: float
    busy: float
    """CPUs at work."""
    gpus: float = 0.0


@runtime_checkable
class Executor(Protocol):
    """Whoever restores clips: a cluster, or a stand-in for one."""

    def places(self) -> int:
        """How many clips can be at work at a time now."""
        ...

    def wide_places(self) -> int:
        """How many spread clips can be."""
        ...

    def largest(self) -> int:
        """Bytes of memory that the largest node has for a clip."""
        ...

    def submit(self, order: Order) -> None:
        """Begin, or have it wait for its turn."""
        ...

    def begun(self) -> list[Order]:
        """Those whose turn came since this was asked last; they say so themselves."""
        ...

    def finished(self, patience: float) -> list[tuple[Order, Outcome]]:
        """What has ended; waits so many seconds at most for the first."""
        ...

    def cancel(self, order: Order) -> None:
        """End it, whatever it is at; nothing more is heard of it."""
        ...

    def nodes(self) -> Sequence[NodeUse]:
        """Who works."""
        ...


@dataclass(frozen=True)
class State:
    """How far a fleet is, for whoever looks on."""

    tally: Tally
    at_work: int
    per_hour: float
    """Clips, over the last ten minutes; 0 where none was done."""
    left: float | None
    """Seconds, about; None where nothing is known yet."""
    nodes: Sequence[NodeUse]

    def facts(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "waiting": self.tally.left - self.at_work,
            "at_work": self.at_work,
            "done": self.tally.done,
            "aside": self.tally.aside,
            "clips": self.tally.clips,
            "clips_an_hour": round(self.per_hour, 1),
            "eta_s": None if self.left is None else round(self.left),
            "nodes": [vars(node) for node in self.nodes],
        }


@dataclass
class Driver:
    """One driver; several may work from one ledger.

    Args:
        ledger: what is to be done, and was.
        executor: who does it.
        time_limit: seconds after which a clip at work is ended and set aside.
        on_state: told how far it is, every few seconds.
        on_trouble: told of each clip that failed, was lost or could not be handed over, and whether it was set aside.
        on_aside: told of each that was set aside, to clear away after it.
        stop: asked all along; True ends it, and the ledger knows what is left.
    """

    ledger: Ledger
    executor: Executor
    time_limit: float
    on_state: Callable[[State], None] = lambda state: None
    on_trouble: Callable[[Order, Outcome, bool], None] = lambda order, outcome, aside: None
    on_aside: Callable[[Order], None] = lambda order: None
    stop: Callable[[], bool] = lambda: False
    _at_work: dict[int, Order] = field(default_factory=dict[int, Order])
    _began: dict[int, float] = field(default_factory=dict[int, float])
    """When each began, by its number; those that wait for their turn are not in it."""
    _pace: deque[tuple[float, int, int]] = field(default_factory=lambda: deque[tuple[float, int, int]]())
    """Seconds, clips done, bytes done."""

    def run(self) -> Tally:
        """Until every clip is done or set aside.

        Raises:
            Stopped: `stop` said so.
            OutputError: the ledger cannot be written.
        """
        next_beat = 0.0
        try:
            while True:
                if self.stop():
                    raise Stopped
                if time.monotonic() >= next_beat:
                    tally = self._beat()
                    next_beat = time.monotonic() + _BEAT
                    if not tally.left:
                        return tally
                self._hand_out()
                ended = self.executor.finished(_TICK)
                self._let_in()
                self._settle([*ended, *self._overdue()])
                if not self._at_work and not ended:  # all that wait are to be tried later, or another driver's
                    next_beat = next_beat if self.ledger.tally().left else 0.0
                    time.sleep(_TICK)
        finally:
            for order in list(self._at_work.values()):
                self.executor.cancel(order)

    def _hand_out(self) -> None:
        """As many as there are places for, and some that wait at the door."""
        places = self.executor.places()
        narrow = sum(not order.wide for order in self._at_work.values())
        free = places + max(1, places // 8) - narrow
        wide = self.executor.wide_places() - (len(self._at_work) - narrow)
        if free < max(1, places // 64) and wide < 1:  # not one by one: a claim is a transaction
            return
        orders = self.ledger.claim(free, wide)
        largest = self.executor.largest()
        for order in orders:
            self._at_work[order.number] = order
            if order.memory <= largest:
                self.executor.submit(order)
        self._settle([(order, _too_large(order)) for order in orders if order.memory > largest])

    def _let_in(self) -> None:
        """From now on the time of those counts that have begun."""
        now = time.monotonic()
        for order in self.executor.begun():
            if self._at_work.get(order.number) is order:  # not one of an earlier attempt
                self._began[order.number] = now

    def _overdue(self) -> list[tuple[Order, Outcome]]:
        """Clips that outlasted their time are ended."""
        now = time.monotonic()
        late = [number for number, began in self._began.items() if now - began > self.time_limit]
        for number in late:
            self.executor.cancel(self._at_work[number])
        reason = f"it took longer than the limit of {self.time_limit / 60:g} minutes (--time-limit)"
        return [(self._at_work[number], Outcome("late", reason, seconds=self.time_limit)) for number in late]

    def _settle(self, ended: Sequence[tuple[Order, Outcome]]) -> None:
        aside = {order.number for order, _ in self.ledger.settle(ended)}
        for order, outcome in ended:
            self._at_work.pop(order.number, None)
            self._began.pop(order.number, None)
            if outcome.kind in ("failed", "lost", "late", "kept"):
                self.on_trouble(order, outcome, order.number in aside)
            if order.number in aside:
                self.on_aside(order)

    def _beat(self) -> Tally:
        tally = self.ledger.tally()
        state = State(tally, len(self._at_work), *self._rates(tally), self.executor.nodes())
        self.ledger.beat(state.facts())
        self.on_state(state)
        return tally

    def _rates(self, tally: Tally) -> tuple[float, float | None]:
        """Clips an hour, and seconds left: by bytes where the sizes are known, for the largest clips come first."""
        now = time.monotonic()
        self._pace.append((now, tally.done, tally.size_done))
        while now - self._pace[0][0] > _RATE_OVER:
            self._pace.popleft()
        began, clips, size = self._pace[0]
        done, spent = tally.done - clips, now - began
        if done < 1 or spent <= 0:
            return 0.0, None
        by_size = tally.size_done > size
        left = tally.size_left / (tally.size_done - size) if by_size else tally.left / done
        return 3600 * done / spent, left * spent


def _too_large(order: Order) -> Outcome:
    return Outcome("late", f"it needs about {order.memory / 1e9:.1f} GB of memory, and no node has so much")
