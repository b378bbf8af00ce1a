"""The driver: no more than there are places for, and every clip done or set aside, whatever happens to it."""

import threading
import time
from contextlib import closing

import pytest

from selfhvd.errors import Stopped
from selfhvd.fleet.driver import Driver, NodeUse
from selfhvd.fleet.ledger import Ledger
from selfhvd.fleet.order import Outcome
from selfhvd.fleet.sources import Wanted


class Site:
    """An executor in this process: what becomes of a clip, `fate` says by its source; None: it never ends."""

    def __init__(self, fate, places=4, memory=100, room=None) -> None:
        self.fate, self._places, self.memory, self.room = fate, places, memory, room or places
        self.waiting, self.told, self.made, self.cancelled, self.most = [], [], [], [], 0

    def places(self) -> int:
        return self._places

    def wide_places(self) -> int:
        return 1

    def largest(self) -> int:
        return self.memory

    def submit(self, order) -> None:
        self.waiting.append(order)
        self.most = max(self.most, len(self.waiting))

    def begun(self):
        new = [order for order in self.waiting[: self.room] if order not in self.told]
        self.told += new
        return new

    def finished(self, patience: float):
        ended = []
        for order in self.waiting[: self.room]:
            outcome = self.fate(order)
            if outcome is not None:
                ended.append((order, outcome))
                self.waiting.remove(order)
                self.made.append(order)
        if not ended:
            time.sleep(0.01)
        return ended

    def cancel(self, order) -> None:
        self.cancelled.append(order.source)
        self.waiting = [other for other in self.waiting if other != order]

    def nodes(self):
        return [NodeUse("site", 4.0, 2.0)]


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    monkeypatch.setattr("selfhvd.fleet.ledger._AGAIN", (0.0, 0.0))
    monkeypatch.setattr("selfhvd.fleet.ledger._LATER", 0.0)
    made = Ledger(tmp_path / "fleet.sqlite")
    made.add([Wanted(f"/in/{n}.mp4", f"/out/{n}.mp4", 1) for n in range(50)])
    yield made
    made.close()


def number(order) -> int:
    return int(order.source.removeprefix("/in/").removesuffix(".mp4"))


def test_all_are_done_and_few_wait_at_the_door(ledger):
    site, states = Site(lambda order: Outcome("done", seconds=1.0, frames=1)), []
    tally = Driver(ledger, site, 60.0, on_state=states.append).run()
    assert tally.done == 50 and len(site.made) == 50
    assert site.most <= 5
    assert states[-1].facts()["done"] == 50 and states[-1].facts()["nodes"] == [
        {"name": "site", "cpus": 4.0, "busy": 2.0, "gpus": 0.0}
    ]


def test_bad_clips_are_set_aside_and_do_not_stop_the_rest(ledger):
    troubles, cleared = [], []

    def fate(order):
        return Outcome("failed", "no video") if number(order) == 7 else Outcome("done")

    driver = Driver(
        ledger,
        Site(fate),
        60.0,
        on_trouble=lambda order, outcome, aside: troubles.append(aside),
        on_aside=lambda order: cleared.append(number(order)),
    )
    assert (driver.run().done, driver.run().aside) == (49, 1)
    assert troubles == [False, False, True] and cleared == [7]


def test_a_clip_that_hangs_is_ended_and_set_aside(ledger):
    site = Site(lambda order: None if number(order) == 3 else Outcome("done"))
    tally = Driver(ledger, site, 0.3).run()
    assert (tally.done, tally.aside) == (49, 1) and site.cancelled == ["/in/3.mp4"]
    assert "longer than the limit" in ledger.aside()[0].reason


def test_one_that_waits_for_its_turn_is_not_late(ledger):
    began: dict[int, float] = {}

    def fate(order):
        return Outcome("done") if time.monotonic() - began.setdefault(order.number, time.monotonic()) > 0.05 else None

    assert Driver(ledger, Site(fate, places=2), 0.3).run().done == 50


def test_nor_is_one_that_waits_because_there_is_less_room_than_it_seems(ledger):
    began: dict[int, float] = {}

    def fate(order):
        return Outcome("done") if time.monotonic() - began.setdefault(order.number, time.monotonic()) > 0.01 else None

    assert Driver(ledger, Site(fate, places=16, room=1), 0.15).run().done == 50


def test_what_needs_more_is_asked_again_and_what_no_node_has_is_set_aside(ledger):
    def fate(order):
        if number(order) in (4, 5) and not order.memory:
            return Outcome("needs", memory=50 if number(order) == 4 else 500, wide=True)
        return Outcome("done")

    site = Site(fate)
    tally = Driver(ledger, site, 60.0).run()
    assert (tally.done, tally.aside) == (49, 1)
    assert [order.memory for order in site.made if number(order) == 4 and order.wide] == [50]
    assert "no node has so much" in ledger.aside()[0].reason


def test_it_stops_when_asked_and_another_goes_on(ledger):
    asked = threading.Event()
    site = Site(lambda order: None)
    threading.Timer(0.2, asked.set).start()
    with pytest.raises(Stopped):
        Driver(ledger, site, 60.0, stop=asked.is_set).run()
    assert len(site.cancelled) == 5
    with closing(Ledger(ledger.path, "another")) as again:
        ledger.close()
        assert Driver(again, Site(lambda order: Outcome("done")), 60.0).run().done == 50


def test_two_drivers_share_the_work(ledger):
    sites = [Site(lambda order: (time.sleep(0.005), Outcome("done"))[1]) for _ in range(2)]

    def work(name, site):
        with closing(Ledger(ledger.path, name)) as mine:
            Driver(mine, site, 60.0).run()

    threads = [threading.Thread(target=work, args=(f"driver {n}", site)) for n, site in enumerate(sites)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    done = [number(order) for site in sites for order in site.made]
    assert sorted(done) == list(range(50)) and all(site.made for site in sites)
