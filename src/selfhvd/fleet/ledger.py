"""Ledger: what has become of each clip of a fleet, on disk, so that whoever dies, nothing is forgotten or done twice.

A small SQLite database that drivers alone write, many clips a transaction. It has a rollback journal, which holds on
network folders, too; a write-ahead log does not, for it lives in memory that one machine shares.
"""

import json
import os
import socket
import sqlite3
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from selfhvd.errors import InputError, OutputError, UsageError
from selfhvd.fleet.order import Order, Outcome
from selfhvd.fleet.sources import Wanted
from selfhvd.fleet.storage import shown
from selfhvd.run.batch import place_key

FAILURES = 3
"""Times that a clip may fail before it is set aside."""
LOSSES = 12
"""Times that its process or its node may be lost, or its store out of reach.

Mostly that is not the clip's fault, and it goes on where it was."""
LEASE = 60.0
"""Seconds that a claim holds without a word from its driver."""
_AGAIN = (1.0, 5.0)
"""Seconds until a clip that failed once, or twice, is tried again."""
_LATER = 2.0
"""Seconds until one is that was lost, that somebody else was at, or that there was no room for."""
_LONGEST = {"lost": 30.0, "kept": 600.0}
"""Seconds that one waits at most that was lost, or could not be handed over."""
_PATIENCE = 60.0
"""Seconds to wait for another process that writes."""

_SCHEMA = """
create table if not exists clips (
    number integer primary key, source text unique not null, result text unique not null, size integer not null,
    state text not null default 'waiting', failures integer not null default 0, losses integer not null default 0,
    not_before real not null default 0, holder text not null default '', until real not null default 0,
    memory integer not null default 0, wide integer not null default 0,
    reason text not null default '', node text not null default '', seconds real not null default 0,
    frames integer not null default 0, ended real not null default 0);
create index if not exists turn on clips (state, wide, size desc, number);
create table if not exists facts (name text primary key, value text not null);
"""


@dataclass(frozen=True)
class Aside:
    """A clip that was set aside, by what may be shown of its address, and why."""

    source: str
    reason: str


@dataclass(frozen=True)
class Tally:
    """How many clips are in which state."""

    waiting: int = 0
    claimed: int = 0
    done: int = 0
    aside: int = 0
    size_left: int = 0
    """Bytes of clips that are not done, and not set aside."""
    size_done: int = 0

    @property
    def clips(self) -> int:
        """All of them."""
        return self.waiting + self.claimed + self.done + self.aside

    @property
    def left(self) -> int:
        """Those still to do."""
        return self.waiting + self.claimed


class Ledger:
    """The ledger of one output; a driver's name is on what it claims.

    Args:
        path: of the database; it is made where there is none.
        holder: this driver; None: this process, so that a driver on the same machine sees that it is gone.
        now: seconds since the epoch.
    """

    def __init__(self, path: Path, holder: str | None = None, now: Any = time.time) -> None:  # noqa: ANN401
        self.path, self.holder, self._now = path, holder or _this_process(), now
        self._holds = False
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
            self._base.text_factory = _decoded
            self._base.executescript(_SCHEMA)

    def close(self) -> None:
        """Give back what this driver holds, and let go of the file."""
        if self._holds:
            self._holds = False
            with self._writing():
                self._base.execute(
                    "update clips set state = 'waiting', holder = '' where state = 'claimed' and holder = ?",
                    (self.holder,),
                )
        self._base.close()

    def restart(self) -> None:
        """Forget all clips, and on what settings they agreed.

        Raises:
            UsageError: another driver is at work from this ledger.
        """
        with self._writing():
            if self._is_in_use():
                raise UsageError(f"{self.path} is in use by another driver; stop it, wait a minute, then --restart.")
            self._base.execute("delete from clips")
            self._base.execute("delete from facts")

    def _is_in_use(self) -> bool:
        """Whether a driver that lives has claims, or said a word of late."""
        now = self._now()
        rows = self._base.execute("select distinct holder from clips where state = 'claimed' and until >= ?", (now,))
        holders = {holder for (holder,) in rows.fetchall()}
        if (said := self.status()) is not None and now - said["at"] < LEASE:
            holders.add(said["holder"])
        return any(holder != self.holder and not is_gone(holder) for holder in holders)

    def agree(self, settings: Mapping[str, str]) -> None:
        """Take these settings for all clips.

        Raises:
            OutputError: an earlier run had others.
        """
        with self._writing():
            kept = self._fact("settings")
            before = None if kept is None else json.loads(kept)
            if before is None:
                self._put_fact("settings", json.dumps(dict(settings)))
            elif before != dict(settings):
                names = {**before, **settings}
                changed = ", ".join(sorted(name for name in names if before.get(name) != settings.get(name))[:4])
                raise OutputError(
                    f"{self.path} is of a fleet with other settings ({changed}); put them back to go on, choose "
                    "another output, or begin anew with --restart --overwrite."
                )

    def add(self, clips: Iterable[Wanted]) -> None:
        """Take in clips that are not there yet.

        Raises:
            UsageError: one would get the name of another's result, or of its reports.
        """
        with self._writing():
            known = self.results()
            taken = {place_key(Path(result)) for result in known.values()}
            for clip in clips:
                if clip.source in known:
                    continue
                key = place_key(Path(clip.result))
                if key in taken:
                    told = f"{shown(clip.result)} is the result of another clip than {shown(clip.source)} already"
                    raise UsageError(f"{told}; choose another output.")
                taken.add(key)
                known[clip.source] = clip.result
                self._base.execute(
                    "insert into clips (source, result, size) values (cast(? as text), cast(? as text), ?)",
                    (os.fsencode(clip.source), os.fsencode(clip.result), clip.size),
                )

    def results(self) -> dict[str, str]:
        """The result of each clip by its source."""
        return dict(self._read("select source, result from clips"))

    def reopen(self) -> int:
        """Let clips that were set aside wait again; how many there were."""
        with self._writing():
            done = self._base.execute(
                "update clips set state = 'waiting', failures = 0, losses = 0, not_before = 0 where state = 'aside'"
            )
            return done.rowcount

    def claim(self, count: int, wide: int = 0) -> list[Order]:
        """Take up to `count` clips that wait, the largest first, and up to `wide` of those that are to be spread."""
        now = self._now()
        self._holds = True
        with self._writing():
            orders = [*self._waiting(now, wide, True), *self._waiting(now, count, False)]
            self._base.executemany(
                "update clips set state = 'claimed', holder = ?, until = ? where number = ?",
                [(self.holder, now + LEASE, order.number) for order in orders],
            )
        return orders

    def _waiting(self, now: float, count: int, wide: bool) -> list[Order]:
        rows = self._base.execute(
            "select number, source, result, memory, failures + losses = 0 from clips where state = 'waiting' "
            "and wide = ? and not_before <= ? order by size desc, number limit ?",
            (wide, now, max(0, count)),
        )
        return [Order(*row, wide=wide, fresh=bool(fresh)) for *row, fresh in rows.fetchall()]

    def settle(self, outcomes: Sequence[tuple[Order, Outcome]]) -> list[tuple[Order, Outcome]]:
        """Write down what became of clips that this driver holds; those are returned that were set aside by it."""
        if not outcomes:
            return []
        with self._writing():
            return [(order, outcome) for order, outcome in outcomes if self._settle(order, outcome)]

    def _settle(self, order: Order, outcome: Outcome) -> bool:
        row = self._base.execute(
            "select failures, losses from clips where number = ? and state = 'claimed' and holder = ?",
            (order.number, self.holder),
        ).fetchone()
        if row is None:
            return False  # the claim had expired and another driver has it
        failures, losses = row[0] + (outcome.kind == "failed"), row[1] + (outcome.kind in _LONGEST)
        state = _next_state(outcome, failures, losses)
        wait = _wait_after(outcome, failures, losses)
        self._base.execute(
            "update clips set state = ?, failures = ?, losses = ?, not_before = ?, holder = '', "
            "reason = cast(? as text), node = ?, seconds = ?, frames = max(frames, ?), "
            "memory = max(memory, ?), wide = max(wide, ?), ended = ? where number = ?",
            (
                state, failures, losses, self._now() + wait,
                os.fsencode(outcome.reason), outcome.node,
                outcome.seconds, outcome.frames, outcome.memory, outcome.wide,
                self._now(), order.number,
            ),
        )  # fmt: skip
        return state == "aside"

    def beat(self, status: Mapping[str, object]) -> None:
        """Say that this driver lives, and how it goes; take back the claims of drivers that do not."""
        now = self._now()
        with self._writing():
            self._base.execute(
                "update clips set until = ? where state = 'claimed' and holder = ?", (now + LEASE, self.holder)
            )
            holders = self._base.execute("select distinct holder from clips where state = 'claimed'").fetchall()
            gone = [holder for (holder,) in holders if holder != self.holder and is_gone(holder)]
            marks = ",".join("?" * len(gone))
            self._base.execute(
                "update clips set state = 'waiting', holder = '' where state = 'claimed' "
                f"and (until < ? or holder in ({marks}))",
                (now, *gone),
            )
            self._put_fact("status", json.dumps({**status, "at": now, "holder": self.holder}))

    def tally(self) -> Tally:
        """How far it has come."""
        rows = self._read("select state, count(*), total(size) from clips group by state")
        counts = {state: count for state, count, _ in rows}
        sizes = {state: int(size) for state, _, size in rows}
        left = sizes.get("waiting", 0) + sizes.get("claimed", 0)
        return Tally(**counts, size_left=left, size_done=sizes.get("done", 0))

    def aside(self) -> list[Aside]:
        """The clips that were set aside."""
        rows = self._read("select source, reason from clips where state = 'aside' order by number")
        return [Aside(shown(source), reason) for source, reason in rows]

    def by_node(self) -> dict[str, tuple[int, float]]:
        """Clips that each node finished, and the seconds they took it."""
        rows = self._read(
            "select node, count(*), total(seconds) from clips where state = 'done' group by node order by node"
        )
        return {node: (count, seconds) for node, count, seconds in rows}

    def totals(self) -> tuple[int, float, float]:
        """Frames restored, seconds they took, and the most that one clip took."""
        (row,) = self._read("select total(frames), total(seconds), max(seconds) from clips where state = 'done'")
        return int(row[0]), float(row[1]), float(row[2] or 0)

    def status(self) -> dict[str, Any] | None:
        """What a driver said last."""
        kept = self._fact("status")
        return None if kept is None else json.loads(kept)

    def _fact(self, name: str) -> str | None:
        rows = self._read("select value from facts where name = ?", name)
        return str(rows[0][0]) if rows else None

    def _put_fact(self, name: str, value: str) -> None:
        self._base.execute("insert or replace into facts values (?, ?)", (name, value))

    def _read(self, query: str, *values: object) -> list[Any]:
        with _told(self.path):
            return self._base.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Generator[None]:
        """All of it, or nothing."""
        with _told(self.path):
            self._base.execute("begin immediate")
            try:
                yield
            except BaseException:
                if self._base.in_transaction:  # a full disk has ended it already
                    self._base.execute("rollback")
                raise
            self._base.execute("commit")


def open_ledger(path: Path) -> Ledger:
    """One that is there.

    Raises:
        InputError: there is none.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; name the output of a fleet, or its --state folder.")
    return Ledger(path)


def _decoded(text: bytes) -> str:
    """Names of files may be no text: they are kept as the bytes they are."""
    return text.decode(errors="surrogateescape")


def _next_state(outcome: Outcome, failures: int, losses: int) -> str:
    if outcome.kind in ("done", "there"):
        return "done"
    over = outcome.kind == "late" or failures >= FAILURES or losses >= LOSSES
    return "aside" if over else "waiting"


def _wait_after(outcome: Outcome, failures: int, losses: int) -> float:
    """Seconds until it is tried again: longer and longer, for a node that loses processes may be short of memory."""
    if outcome.kind == "failed":
        return _AGAIN[min(failures, len(_AGAIN)) - 1]
    if outcome.kind in _LONGEST:
        return min(_LATER * 2 ** (losses - 1), _LONGEST[outcome.kind])
    return _LATER if outcome.kind == "later" else 0.0


def _this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def is_gone(holder: str) -> bool:
    """Whether a driver of this machine has ended; of another machine's nobody can tell but by its lease."""
    host, _, rest = holder.partition(":")
    process, _, began = rest.partition(":")
    if host != socket.gethostname():
        return False
    try:
        return abs(psutil.Process(int(process)).create_time() - float(began)) > 1
    except (psutil.Error, ValueError):
        return True


@contextmanager
def _told(path: Path) -> Generator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise OutputError(f"{path} cannot be used ({error}); make room, or choose another --state folder.") from error
