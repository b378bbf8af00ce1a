"""Ten thousand clips through a fleet's bookkeeping: clips a second, and the driver's memory.

    python bench/fleet_bookkeeping.py [CLIPS] [--ray]

The clips are a list of names, and the work on each is a stand-in that does nothing: no frame is read, no network runs.
What is measured is the rest: the ledger's transactions, claims, outcomes, beats. With --ray each clip is a task of a
real Ray on this machine, too; without, outcomes come at once.
"""

import os
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psutil

from selfhvd.fleet.driver import Driver, NodeUse
from selfhvd.fleet.ledger import Ledger
from selfhvd.fleet.order import FleetJob, Order, Outcome
from selfhvd.fleet.sources import wanted
from selfhvd.run.config import DeblurConfig
from selfhvd.run.options import RunOptions


class Stub:
    """Whatever is submitted has ended; as many places as a cluster of 200 CPUs."""

    def __init__(self) -> None:
        self._ended: list[tuple[Order, Outcome]] = []

    def places(self) -> int:
        return 200

    def wide_places(self) -> int:
        return 0

    def largest(self) -> int:
        return 10**12

    def submit(self, order: Order) -> None:
        self._ended.append((order, Outcome("done", node=f"node{order.number % 20}", seconds=1.0, frames=1)))

    def begun(self) -> list[Order]:
        return []

    def finished(self, patience: float) -> list[tuple[Order, Outcome]]:
        ended, self._ended = self._ended, []
        return ended

    def cancel(self, order: Order) -> None:
        pass

    def nodes(self) -> list[NodeUse]:
        return [NodeUse(f"node{n}", 10.0, 10.0) for n in range(20)]


def rss() -> float:
    return psutil.Process(os.getpid()).memory_info().rss / 1e6


def drive(ledger: Ledger, executor, memory: list[float]) -> float:
    def look(state) -> None:
        memory.append(rss())

    began = time.monotonic()
    driver = Driver(ledger, executor, 3600.0, on_state=look)
    finished = executor.finished

    def watched(patience: float):
        ended = finished(patience)
        if len(memory) < 10_000:
            memory.append(rss())
        return ended

    executor.finished = watched
    tally = driver.run()
    assert tally.left == 0 and tally.aside == 0, tally
    return time.monotonic() - began


def ray_stub(job: FleetJob):
    """A real Ray whose tasks do nothing."""
    import ray

    from selfhvd.fleet.ray_executor import RayExecutor

    @ray.remote(max_retries=0)
    def nothing(job: FleetJob, order: Order) -> Outcome:
        return Outcome("done", node="here", seconds=0.01, frames=1)

    class RayStub(RayExecutor):
        def submit(self, order: Order) -> None:
            self._at_work[nothing.options(num_cpus=1).remote(self._kept, order)] = order

        def places(self) -> int:
            return 200

    return RayStub(job, 0.0, 1)


def main() -> None:
    count = next((int(word) for word in sys.argv[1:] if word.isdecimal()), 10_000)
    with tempfile.TemporaryDirectory() as home:
        names = Path(home) / "clips.txt"
        names.write_text("\n".join(f"s3://films/{n // 100:04d}/clip{n:07d}.mp4" for n in range(count)))
        began = time.monotonic()
        clips = wanted([str(names)], f"{home}/out")
        listed = time.monotonic() - began
        memory: list[float] = []
        with closing(Ledger(Path(home) / "fleet.sqlite")) as ledger:
            began = time.monotonic()
            ledger.add(clips)
            added = time.monotonic() - began
            del clips
            if "--ray" in sys.argv:
                from selfhvd.fleet.ray_executor import ray_cluster

                with ray_cluster("bookkeeping", None, 2):
                    took = drive(ledger, ray_stub(FleetJob(home, DeblurConfig(), RunOptions())), memory)
            else:
                took = drive(ledger, Stub(), memory)
            size = ledger.path.stat().st_size / 1e6
        tenth = max(1, len(memory) // 10)
        rate = count / took
        times = f"listed in {listed:.1f} s, added in {added:.1f} s, done in {took:.1f} s"
        print(f"{count} clips: {times}, {rate:.0f} a second")
        print(f"memory, MB: after a tenth {memory[tenth]:.0f}, at the end {memory[-1]:.0f}; the ledger {size:.1f}")


if __name__ == "__main__":
    main()
