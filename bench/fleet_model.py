"""One million clips of 10 s at 1080p, on paper: how long and how much, and where a fleet bends first.

    python bench/fleet_model.py

No clip is restored here. Every clip is a number of seconds of one core, taken from what was measured (the constants
below, with their source), and a fleet of cores takes them off a list as the ledger hands them out. What is simulated
is who is busy when: clips of uneven length, cores that are slow, nodes that are lost and the work that is lost with
them. What a core and a request cost is for you to put in.
"""

import heapq
from dataclasses import dataclass, replace

import numpy as np

FRAMES = 300
"""Of a clip of 10 s."""
FRAME_1080 = 3.5
"""Core seconds a frame of 1920x1080: 16 frames took a core 59 s, 3 of them loading (docs/speed.md)."""
LOADING = 3.0
"""Core seconds until a clip is read (docs/speed.md)."""
BESIDE = 1.15
"""So many times as long where other cores of the machine work, too (docs/speed.md)."""
ON_A_GPU = 0.36
"""Of a core's time at 1080p, the network's part, which a GPU takes (docs/speed.md); the rest stays on cores."""
CORES_PER_GPU = 16
DRIVER = 446.0
"""Clips a second that one driver hands to Ray and writes down (bench/fleet_bookkeeping.py --ray, 2 cores)."""
REQUESTS = 11
"""Of a store for a clip (bench/fleet_store.py)."""
STORE = 3500.0
"""Writes a second that S3 takes for one prefix, by its maker's documentation."""
CHUNK = 4
"""Frames that are lost with a worker where the work area outlives it, at most (run/schedule.py)."""


@dataclass(frozen=True)
class Fleet:
    """Who works, and how."""

    clips: int = 1_000_000
    cores: int = 10_000
    per_node: int = 16
    largest_first: bool = True
    spread_over: int = 16
    """Workers of a clip that is spread; 1: nothing is."""
    spread_from: float = 3600.0
    """Seconds of one worker from which a clip is."""
    loss_every: float = 24 * 3600.0
    """Seconds after which a node is lost, in the mean."""
    kept: bool = True
    """Whether the work area outlives a node."""
    slow: float = 0.01
    """Part of the cores that are three times as slow."""
    long: float = 0.001
    """Part of the clips that are 60 times as long."""


def seconds_of(fleet: Fleet, draw: np.random.Generator) -> np.ndarray:
    """Core seconds of each clip: 10 s, uneven by a quarter, and a few of 10 minutes."""
    frames = FRAMES * draw.lognormal(-0.03, 0.25, fleet.clips)
    frames[draw.random(fleet.clips) < fleet.long] *= 60
    return LOADING + frames * FRAME_1080 * BESIDE


def simulate(fleet: Fleet, seed: int = 0) -> tuple[float, float, float]:
    """Hours until all are done; the part of the core hours that worked; hours of the last percent of the clips."""
    draw = np.random.default_rng(seed)
    work = seconds_of(fleet, draw)
    if fleet.largest_first:
        work = np.sort(work)[::-1]
    pieces = _spread(work, fleet)
    speeds = np.where(draw.random(fleet.cores) < fleet.slow, 1 / 3, 1.0)
    free = [(core / DRIVER, core) for core in range(fleet.cores)]
    heapq.heapify(free)
    ends, busy = np.empty(len(pieces)), 0.0
    for number, piece in enumerate(pieces):
        now, core = heapq.heappop(free)
        now = max(now, number / DRIVER)
        took = piece / speeds[core]
        took += _lost(took, fleet, draw)
        busy += piece
        ends[number] = now + took
        heapq.heappush(free, (now + took, core))
    ends.sort()
    last = ends[-1]
    return last / 3600, busy / (last * fleet.cores), (last - ends[int(0.99 * len(ends))]) / 3600


def _spread(work: np.ndarray, fleet: Fleet) -> np.ndarray:
    """A spread clip is as many pieces as it has workers, in the order of the list."""
    if fleet.spread_over == 1:
        return work
    long = work > fleet.spread_from
    pieces = np.repeat(work[long] / fleet.spread_over, fleet.spread_over)
    return np.concatenate([pieces, work[~long]])


def _lost(took: float, fleet: Fleet, draw: np.random.Generator) -> float:
    """Seconds done twice, because nodes are lost while a clip is at work."""
    losses = draw.poisson(took / fleet.loss_every)
    if not losses:
        return 0.0
    if fleet.kept:
        return losses * (CHUNK * FRAME_1080 + LOADING)
    return float(draw.random(losses).sum() * took)


def main() -> None:
    base = Fleet()
    core = LOADING + FRAMES * FRAME_1080
    gpu_core = LOADING + FRAMES * FRAME_1080 * (1 - ON_A_GPU)
    print(f"a clip of {FRAMES} frames at 1080p: {core:.0f} core seconds; with a GPU for the network {gpu_core:.0f}")
    on_cpus = base.clips * core * BESIDE / 3600
    with_gpus = base.clips * gpu_core * BESIDE / 3600
    print(f"a million: {on_cpus:,.0f} core hours on CPU nodes; with GPUs {with_gpus:,.0f} core hours")
    print(f"and {with_gpus / CORES_PER_GPU:,.0f} GPU hours at {CORES_PER_GPU} cores a GPU")
    rows = {
        "as it is: largest first, long clips spread, work kept": base,
        "in the order of the list": replace(base, largest_first=False),
        "nothing spread": replace(base, spread_over=1),
        "neither": replace(base, largest_first=False, spread_over=1),
        "work lost with its node": replace(base, kept=False),
        "a node lost every hour (spot)": replace(base, loss_every=3600.0),
        "the same, work lost with its node": replace(base, loss_every=3600.0, kept=False),
        "one core in ten slow": replace(base, slow=0.1),
        "1,000 cores": replace(base, cores=1000),
        "100,000 cores": replace(base, cores=100_000),
    }
    print("\n| fleet of 10,000 cores | hours | cores at work, % | hours of the last 1 % |\n|---|---|---|---|")
    for name, fleet in rows.items():
        took, share, tail = simulate(fleet)
        print(f"| {name} | {took:.1f} | {100 * share:.0f} | {tail:.1f} |", flush=True)
    print("\n| limit | clips a second | cores that reach it |\n|---|---|---|")
    for name, rate in {
        "one driver": DRIVER,
        "writes to one prefix of S3": STORE / 3,
        "all requests": STORE / REQUESTS,
    }.items():
        print(f"| {name} | {rate:.0f} | {rate * core * BESIDE:,.0f} |")


if __name__ == "__main__":
    main()
