"""The ledger: each clip is claimed by one driver at a time, and what became of it is not forgotten."""

import os
import socket
import subprocess
from contextlib import ExitStack, closing

import psutil
import pytest

from selfhvd.errors import InputError, OutputError, UsageError
from selfhvd.fleet.ledger import FAILURES, LEASE, LOSSES, Ledger, is_gone, open_ledger
from selfhvd.fleet.order import Outcome
from selfhvd.fleet.run import settings_of
from selfhvd.fleet.sources import Wanted
from selfhvd.fleet.state_folder import ledger_path
from selfhvd.run.config import preset_config
from selfhvd.run.options import RunOptions

DONE, FAILED, LOST = Outcome("done", frames=3, seconds=2.0, node="a"), Outcome("failed", "why"), Outcome("lost", "gone")


class Clock:
    """Time goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def another(tmp_path, clock):
    """Opens the ledger once more, for a driver of another name."""
    with ExitStack() as opened:
        yield lambda holder="you": opened.enter_context(closing(Ledger(tmp_path / "out/fleet.sqlite", holder, clock)))


@pytest.fixture
def ledger(another):
    made = another("me")
    made.add([Wanted(f"/in/{n}.mp4", f"/out/{n}.mp4", size) for n, size in enumerate((10, 30, 20))])
    return made


def test_the_largest_come_first_and_none_twice(ledger, another):
    assert [order.source for order in ledger.claim(2)] == ["/in/1.mp4", "/in/2.mp4"]
    assert [order.source for order in another().claim(2)] == ["/in/0.mp4"]
    assert not ledger.claim(2)
    assert (ledger.tally().claimed, ledger.tally().waiting, ledger.tally().size_left) == (3, 0, 60)


def test_what_is_done_stays_done(ledger, another):
    (order,) = ledger.claim(1)
    ledger.settle([(order, DONE)])
    again = another()
    again.add([Wanted("/in/1.mp4", "/out/1.mp4", 30)])
    assert again.tally().done == 1 and again.tally().clips == 3
    assert again.by_node() == {"a": (1, 2.0)} and again.totals() == (3, 2.0, 2.0)


def test_a_clip_that_fails_three_times_is_set_aside_with_its_reason(ledger, clock):
    for times in range(1, FAILURES + 1):
        (order,) = ledger.claim(1)
        assert order.source == "/in/1.mp4"
        aside = ledger.settle([(order, FAILED)])
        assert bool(aside) == (times == FAILURES)
        assert all(other.source != "/in/1.mp4" for other in ledger.claim(0))
        clock.now += 60
    assert [(one.source, one.reason) for one in ledger.aside()] == [("/in/1.mp4", "why")]
    assert len(ledger.claim(9)) == 2
    assert ledger.reopen() == 1 and ledger.tally().waiting == 1


def test_one_that_failed_waits_before_it_is_tried_again(ledger, clock):
    orders = ledger.claim(3)
    ledger.settle([(order, FAILED) for order in orders])
    assert not ledger.claim(3)
    clock.now += 10
    assert len(ledger.claim(3)) == 3


def test_a_lost_process_is_not_the_clips_fault_until_it_is_lost_again_and_again(ledger, clock):
    for _ in range(LOSSES - 1):
        (order,) = ledger.claim(1)
        assert not ledger.settle([(order, LOST)])
        clock.now += 64
    (order,) = ledger.claim(1)
    assert ledger.settle([(order, LOST)])
    assert ledger.aside()[0].reason == "gone"


def test_one_whose_store_is_out_of_reach_waits_longer_each_time(ledger, clock):
    waits = []
    for _ in range(LOSSES - 1):
        (order,) = ledger.claim(1)
        assert not ledger.settle([(order, Outcome("kept", "503"))])
        (until,) = ledger._base.execute("select not_before from clips where number = ?", (order.number,)).fetchone()
        waits.append(until - clock.now)
        clock.now = until
    assert waits[:3] == [2, 4, 8] and waits[-1] == 600


def test_what_it_needs_is_remembered_and_costs_no_attempt(ledger):
    (order,) = ledger.claim(1)
    ledger.settle([(order, Outcome("needs", memory=5, wide=True))])
    assert not [other for other in ledger.claim(0, wide=0)]
    (again,) = ledger.claim(0, wide=1)
    assert (again.number, again.memory, again.wide) == (order.number, 5, True)


def test_a_claim_expires_unless_its_driver_says_that_it_lives(ledger, clock, another):
    ledger.claim(1)
    you = another()
    clock.now += LEASE - 1
    ledger.beat({})
    clock.now += LEASE - 1
    you.beat({})
    assert ledger.tally().claimed == 1
    clock.now += 2
    you.beat({"done": 0})
    assert ledger.tally().claimed == 0
    assert you.status() == {"done": 0, "at": clock.now, "holder": "you"}


def test_an_outcome_that_comes_after_the_claim_expired_changes_nothing(ledger, clock, another):
    (order,) = ledger.claim(1)
    clock.now += LEASE + 1
    you = another()
    you.beat({})
    (theirs,) = you.claim(1)
    assert theirs == order
    assert not ledger.settle([(order, Outcome("late", "slow"))])
    you.settle([(theirs, DONE)])
    assert ledger.tally().done == 1 and not ledger.aside()


def test_claims_of_a_driver_that_is_gone_are_free_at_once(ledger, another):
    gone = subprocess.Popen(["sleep", "60"])
    holder = f"{socket.gethostname()}:{gone.pid}:{psutil.Process(gone.pid).create_time():.2f}"
    another(holder).claim(1)
    ledger.beat({})
    assert ledger.tally().claimed == 1 and not is_gone(holder)
    gone.kill()
    gone.wait()
    ledger.beat({})
    assert ledger.tally().claimed == 0 and is_gone(holder)
    assert not is_gone(f"elsewhere:{os.getpid()}:0.00") and is_gone(f"{socket.gethostname()}:{os.getpid()}:0.00")


def test_closing_gives_back_what_was_held(ledger, another):
    ledger.claim(2)
    another().claim(1)
    ledger.close()
    with closing(Ledger(ledger.path, "me")) as again:
        assert again.tally().waiting == 2


def test_other_settings_are_refused(ledger):
    ledger.agree({"preset": "fast", "seed": "0"})
    ledger.agree({"preset": "fast", "seed": "0"})
    with pytest.raises(OutputError, match=r"other settings \(preset\); put them back"):
        ledger.agree({"preset": "best", "seed": "0"})


def test_each_output_has_a_ledger_of_its_own(ledger, tmp_path, monkeypatch):
    assert ledger_path("s3://a/sharp", None) == ledger_path("s3://a/sharp/", None) != ledger_path("s3://b/sharp", None)
    monkeypatch.chdir(tmp_path)
    assert ledger_path("x/../out", None) == ledger_path("out/", None) == tmp_path / "out" / "fleet.sqlite"
    ledger.agree(settings_of("s3://a/sharp", preset_config(), RunOptions()))
    with pytest.raises(OutputError, match=r"other settings \(the output\)"):
        ledger.agree(settings_of("s3://b/sharp", preset_config(), RunOptions()))


def test_two_clips_never_share_a_result(ledger):
    with pytest.raises(UsageError, match="result of another clip"):
        ledger.add([Wanted("/in/new.mp4", "/out/new.mp4", 1), Wanted("/else/0.mp4", "/out/0.mp4", 1)])
    with pytest.raises(UsageError, match="result of another clip"):
        ledger.add([Wanted("/else/0.mov", "/out/0.mov", 1)])  # they would share the record
    assert ledger.tally().clips == 3


def test_names_that_are_no_text_are_kept(ledger):
    name = os.fsdecode(b"/in/caf\xe9.mp4")
    ledger.add([Wanted(name, f"/out{name}", 99)])
    (order,) = ledger.claim(1)
    assert (order.source, order.result) == (name, f"/out{name}")
    for _ in range(FAILURES):
        ledger._base.execute("update clips set state = 'claimed', holder = 'me' where number = ?", (order.number,))
        ledger.settle([(order, Outcome("failed", name))])
    assert [(one.source, one.reason) for one in ledger.aside()] == [(name, name)]
    ledger.add([Wanted(name, f"/out{name}", 99)])
    assert ledger.tally().clips == 4


def test_only_the_first_attempt_begins_anew(ledger, clock):
    (order,) = ledger.claim(1)
    ledger.settle([(order, LOST)])
    clock.now += 60
    (again,) = ledger.claim(1)
    assert order.fresh and again.source == order.source and not again.fresh


def test_all_is_forgotten_unless_a_driver_is_at_work(ledger, clock, another):
    ledger.agree({"preset": "fast"})
    you = another("elsewhere:1:0.00")
    you.claim(1)
    with pytest.raises(UsageError, match="in use by another driver"):
        ledger.restart()
    you.beat({})
    you.close()
    with pytest.raises(UsageError, match="in use by another driver"):
        ledger.restart()
    assert ledger.tally().clips == 3
    clock.now += LEASE + 1
    ledger.restart()
    assert ledger.tally().clips == 0
    ledger.agree({"preset": "best"})


def test_whatever_the_disk_does_is_one_sentence(ledger):
    ledger._base.execute("pragma max_page_count = 8")
    with pytest.raises(OutputError, match="database or disk is full"):
        ledger.add(Wanted(f"/in/{n:099}.mp4", f"/out/{n:099}.mp4", 1) for n in range(3, 999))
    assert ledger.tally().clips == 3
    ledger._base.execute("drop table clips")
    with pytest.raises(OutputError, match="cannot be used"):
        ledger.tally()


def test_a_broken_ledger_and_none_are_one_sentence(tmp_path):
    with pytest.raises(InputError, match="does not exist; name the output of a fleet"):
        open_ledger(tmp_path / "fleet.sqlite")
    (tmp_path / "fleet.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(OutputError, match=r"cannot be used \(file is not a database\)"):
        open_ledger(tmp_path / "fleet.sqlite")
