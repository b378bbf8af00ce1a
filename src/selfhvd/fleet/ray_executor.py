"""Ray: the one place that knows it. Clips, and pieces of long ones, are its tasks; the ledger has them tried again."""

import contextlib
import itertools
import logging
import math
import os
import socket
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from selfhvd.errors import DeviceError, UsageError
from selfhvd.fleet.area import clear
from selfhvd.fleet.clip_task import attempt, begin, clear_clip
from selfhvd.fleet.driver import NodeUse
from selfhvd.fleet.order import FleetJob, Order, Outcome
from selfhvd.forecast.pace import Pace, measure_pace
from selfhvd.run.config import DeblurConfig
from selfhvd.run.tasks import Task, Workplace, do
from selfhvd.run.workers import worker_bytes
from selfhvd.system.atomic import remove
from selfhvd.system.versions import versions

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
try:
    import ray
    from ray.exceptions import RayError, RayTaskError
    from ray.util.metrics import Counter, Gauge, Histogram
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError:
    raise UsageError("A fleet needs Ray; install it with: pip install '.[cluster]'") from None

log = logging.getLogger(__name__)

_STORE = 100 * 2**20
"""Bytes for Ray's objects on this machine: orders and outcomes; no frame goes through them."""
_LONGEST = 40
"""Bytes of the name of Ray's folder: with 64 more a socket's name has at most 107."""
_LOOPBACK = "127.0.0.1"
_PATIENCE = 10.0
"""Seconds in which a cluster must answer."""
_CLEARING = 120.0
"""Seconds in which every node must have looked at itself, or cleared away."""
_LOOK = 5.0
"""Seconds between two looks at which nodes there are."""
_SECONDS = [10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0]
"""Bounds of the histogram of times."""


@contextmanager
def ray_cluster(name: str, address: str | None, cpus: int | None) -> Generator[None]:
    """Ray, started on this machine alone, or joined at an address; left as it was found.

    Raises:
        DeviceError: it does not start, or there is none at the address.
    """
    _clear_sessions(name)
    folder = _session_folder(name)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None or address.startswith("127."):
            _stay_on_loopback()
        if address is None:
            folder.mkdir(mode=0o700)
            alone = {"object_store_memory": _STORE, "include_dashboard": False, "_node_ip_address": _LOOPBACK}
            ray.init(address="local", num_cpus=cpus, _temp_dir=str(folder), **alone, **quiet)
        else:
            _reach(address)
            ray.init(address=address, _node_ip_address=_LOOPBACK if address.startswith("127.") else None, **quiet)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        where = "on this machine" if address is None else f"at {address}"
        raise DeviceError(f"Ray cannot be used {where} ({_line(error)}).") from error
    _be_silent()
    try:
        yield
    finally:
        ray.shutdown()
        if address is None:
            remove(folder)


def _session_folder(name: str) -> Path:
    """For the own files of this process's Ray; the names of its sockets must be short."""
    folder = Path(tempfile.gettempdir()) / f"selfhvd-ray-{name}-{os.getpid()}"
    return folder if len(os.fsencode(folder)) <= _LONGEST else Path("/tmp") / folder.name


def _clear_sessions(name: str) -> None:
    """What drivers of this fleet left here that were killed; another may be at work beside this one."""
    for folder in _session_folder(name).parent.glob(f"selfhvd-ray-{name}-*"):
        process = folder.name.rpartition("-")[2]
        if process.isdecimal() and (int(process) == os.getpid() or not psutil.pid_exists(int(process))):
            remove(folder)


def _stay_on_loopback() -> None:
    """Else Ray takes, for 127.0.0.1, an address that others reach; what it starts learns of it by the environment."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    with contextlib.suppress(ImportError):
        from ray._private import ray_constants

        ray_constants.ENABLE_RAY_CLUSTER = False  # it was read when ray was imported


def _be_silent() -> None:
    """Ray prints what it notices into our lines; what matters of it comes as an outcome."""
    with contextlib.suppress(ImportError, AttributeError, KeyError):
        from ray._private.ray_logging import global_worker_stdstream_dispatcher

        global_worker_stdstream_dispatcher.remove_handler("ray_print_logs")


def _reach(address: str) -> None:
    """`OSError` where nobody answers at HOST:PORT: Ray itself tries for many minutes."""
    host, _, port = address.rpartition(":")
    if port.isdecimal() and "//" not in host:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()


@dataclass(frozen=True)
class NodeFacts:
    """What a node says of itself at the start."""

    name: str
    versions: dict[str, str]
    sees: tuple[bool, ...]
    """Whether it sees each file that the driver made."""


def _facts_of(tokens: Sequence[str]) -> NodeFacts:
    return NodeFacts(socket.gethostname(), versions(), tuple(Path(token).exists() for token in tokens))


def check_nodes(job: FleetJob) -> bool:
    """Whether all nodes see one work area.

    Raises:
        UsageError: one has other versions of what computes, or does not see the output.
    """
    job.area.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=job.area, prefix="seen-") as token:
        found = _everywhere(_facts_of, [token.name, job.output])
    mine = versions()
    for facts in found:
        if other := [name for name in mine if facts.versions.get(name) != mine[name]]:
            told = ", ".join(f"{name} {facts.versions.get(name, 'missing')} for {mine[name]}" for name in other)
            raise UsageError(f"Node {facts.name} has {told}; install the same versions on all nodes.")
        if "://" not in job.output and not facts.sees[1]:
            raise UsageError(
                f"Node {facts.name} does not see {job.output}; choose a folder that all nodes see, or an address."
            )
    return all(facts.sees[0] for facts in found) and (job.work is not None or job.is_beside)


def clear_nodes(job: FleetJob) -> None:
    """Remove the work area on every node."""
    with contextlib.suppress(RayError):
        _everywhere(clear, job.area)
    clear(job.area)


def _everywhere(work: Any, *given: Any) -> list[Any]:  # noqa: ANN401 - Ray's tasks have no types
    """Do it on every node."""
    alive = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    once = [
        ray.remote(work).options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True))
        for node in alive
    ]
    return ray.get([task.remote(*given) for task in once], timeout=_CLEARING)


def pace_of(config: DeblurConfig, cpus: int, gpus: float) -> Pace:
    """How fast a node is; what no clip could do without is missed here, before the first.

    Raises:
        DeviceError, UsageError, WeightsError: no clip could be restored, and why.
    """
    task = ray.remote(measure_pace).options(num_cpus=cpus, num_gpus=gpus, max_retries=2)
    try:
        return ray.get(task.remote(config))
    except RayTaskError as error:
        raise (error.cause if isinstance(error.cause, Exception) else error) from None


class RayExecutor:
    """Clips as Ray's tasks.

    Args:
        job: how they are restored.
        gpus: of a clip, a part of one or several.
        spread_over: workers of a clip that is spread.
    """

    def __init__(self, job: FleetJob, gpus: float, spread_over: int) -> None:
        self._job, self._kept, self._gpus, self._spread_over = job, ray.put(job), gpus, spread_over
        self._at_work: dict[Any, Order] = {}
        self._turn_of: dict[Any, int] = {}
        self._waiting: dict[int, Order] = {}
        """Those that have not said that they began, by their turn."""
        self._turns = itertools.count()
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        self._door: Any = ray.remote(_Door).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here).remote()
        self._clearing: list[Any] = []
        self._nodes: list[dict[str, Any]] = []
        self._next_look = 0.0
        self._metrics = _Metrics()

    def _look(self) -> list[dict[str, Any]]:
        """The nodes' resources; nodes come and go."""
        if time.monotonic() >= self._next_look:
            self._nodes = [node for node in ray.nodes() if node["Alive"]]
            self._next_look = time.monotonic() + _LOOK
        return [node["Resources"] for node in self._nodes]

    def places(self) -> int:
        """How many clips can be at work at a time now."""
        return sum(self._places_of(node) for node in self._look())

    def _places_of(self, node: dict[str, float]) -> int:
        bounds = [node.get("CPU", 0) // self._job.cpus, node.get("memory", 0) // self._job.grant]
        if self._gpus:
            bounds.append(node.get("GPU", 0) / self._gpus)
        return int(min(bounds))

    def wide_places(self) -> int:
        """How many spread clips can be, so that each has all of its workers."""
        cpus = sum(node.get("CPU", 0) for node in self._look())
        return max(1, int(cpus) // self._crew_size())

    def _crew_size(self) -> int:
        cpus = sum(node.get("CPU", 0) for node in self._look())
        return max(1, min(self._spread_over, int(cpus)))

    def largest(self) -> int:
        """Bytes of memory that the largest node has for a clip."""
        able = [node for node in self._look() if self._is_able(node)]
        return int(max((node.get("memory", 0) for node in able), default=0))

    def _is_able(self, node: Mapping[str, float]) -> bool:
        """Whether it has the cores, and the GPU, of a clip; the head of a cluster often has none."""
        return node.get("CPU", 0) >= self._job.cpus and node.get("GPU", 0) >= self._gpus

    def submit(self, order: Order) -> None:
        """Begin, or have it wait for its turn."""
        memory = order.memory or self._job.grant
        turn = next(self._turns)
        if order.wide and self._can_spread(memory):  # it waits for its workers nearly all the time
            task = _attempt_wide.options(num_cpus=0, memory=memory)
            ref = task.remote(self._kept, order, self._door, turn, self._crew_size())
        else:
            task = _attempt.options(num_cpus=self._job.cpus, num_gpus=self._gpus, memory=memory)
            ref = task.remote(self._kept, order, self._door, turn)
        self._at_work[ref], self._turn_of[ref], self._waiting[turn] = order, turn, order

    def _can_spread(self, memory: int) -> bool:
        """Whether a piece, which needs no more than its clip, has room beside all clips that are spread."""
        if self._job.spread_from == math.inf:
            return False
        spread = sum(order.wide for order in self._at_work.values()) + 1
        room = sum(int(node.get("memory", 0) // memory) for node in self._look() if node.get("CPU", 0) >= 1)
        return room > spread

    def begun(self) -> list[Order]:
        """Those whose turn came since this was asked last."""
        if not self._waiting:
            return []
        try:
            turns = ray.get(self._door.take.remote(), timeout=_PATIENCE)
        except RayError:  # it comes again by itself
            return []
        return [self._waiting.pop(turn) for turn in turns if turn in self._waiting]

    def finished(self, patience: float) -> list[tuple[Order, Outcome]]:
        """What has ended; waits so many seconds at most for the first."""
        if not self._at_work:
            return []
        ready, waiting = ray.wait(list(self._at_work), timeout=patience)
        if ready and waiting:
            ready += ray.wait(waiting, num_returns=len(waiting), timeout=0)[0]
        ended = [(self._forget(ref), _outcome(ref)) for ref in ready]
        for _, outcome in ended:
            self._metrics.see(outcome)
        return ended

    def cancel(self, order: Order) -> None:
        """End it, whatever it is at; nothing more is heard of it."""
        for ref in [ref for ref, other in self._at_work.items() if other == order]:
            self._forget(ref)
            with contextlib.suppress(RayError, ValueError):
                ray.cancel(ref, force=True)

    def _forget(self, ref: Any) -> Order:  # noqa: ANN401 - Ray's references have no types
        self._waiting.pop(self._turn_of.pop(ref, -1), None)
        return self._at_work.pop(ref)

    def nodes(self) -> Sequence[NodeUse]:
        """Who works."""
        self._look()
        self._metrics.at_work.set(len(self._at_work))
        free = _free_by_node()
        return [_use(node, free.get(node["NodeID"], {})) for node in self._nodes]

    def clear_clip(self, order: Order) -> None:
        """Remove what a clip that was set aside left, from here or wherever it was."""
        self._clearing.append(_clear_clip.options(num_cpus=0).remote(self._kept, order))

    def finish(self) -> None:
        """Wait until that is done."""
        with contextlib.suppress(RayError):
            ray.get(self._clearing, timeout=_CLEARING)


def _use(node: dict[str, Any], free: dict[str, float]) -> NodeUse:
    has = node["Resources"]
    cpus = has.get("CPU", 0.0)
    return NodeUse(node["NodeManagerHostname"], cpus, cpus - free.get("CPU", 0.0), has.get("GPU", 0.0))


def _free_by_node() -> dict[str, dict[str, float]]:
    """Ray tells it by a private name alone; where that is gone, all are said to be busy."""
    with contextlib.suppress(ImportError, RayError):
        from ray._private.state import available_resources_per_node

        return available_resources_per_node()
    return {}


def _outcome(ref: Any) -> Outcome:  # noqa: ANN401 - Ray's references have no types
    """What a task said, or that it was lost."""
    try:
        return ray.get(ref)
    except RayTaskError as error:
        return Outcome("failed", f"unexpected fault in selfhvd: {_line(error.cause)}")
    except RayError as error:
        return Outcome("lost", f"its process or node was lost ({type(error).__name__})")


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class _Door:
    """Whoever begins says so here: Ray itself does not tell which of its tasks wait."""

    def __init__(self) -> None:
        self._passed: list[int] = []

    def passed(self, turn: int) -> None:
        """It has begun."""
        self._passed.append(turn)

    def take(self) -> list[int]:
        """Those that have since this was asked last."""
        taken, self._passed = self._passed, []
        return taken


@ray.remote(max_retries=0)
def _attempt(job: FleetJob, order: Order, door: Any, turn: int) -> Outcome:  # noqa: ANN401 - Ray's actors have no types
    door.passed.remote(turn)  # waited for, it would give its core to another meanwhile
    begin(job)
    return attempt(job, order)


@ray.remote(max_retries=0)
def _attempt_wide(job: FleetJob, order: Order, door: Any, turn: int, count: int) -> Outcome:  # noqa: ANN401
    door.passed.remote(turn)
    begin(job)
    return attempt(job, order, lambda order: RayCrew(count))


@ray.remote(max_retries=0)
def _clear_clip(job: FleetJob, order: Order) -> None:
    clear_clip(job, order)


_do = ray.remote(do)


class RayCrew:
    """Workers of one clip, on whichever nodes; they see the clip's work folder."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._place: tuple[Workplace, Any] | None = None

    def submit(self, place: Workplace, task: Task) -> "Future[None]":
        """A task for the next that is free; where its process is lost the result raises `BrokenExecutor`."""
        if self._place is None or self._place[0] is not place:
            self._place = place, ray.put(place)
        pixels = place.footage.width * place.footage.height
        ref = _do.options(num_cpus=1, memory=worker_bytes(pixels), max_retries=0).remote(self._place[1], task)
        result: Future[None] = Future()
        ref.future().add_done_callback(lambda done: _hand_over(done, result))
        return result


def _hand_over(done: "Future[Any]", result: "Future[None]") -> None:
    """The errors of a task as it raised them; that it was lost as the schedule knows it."""
    error = done.exception()
    if error is None:
        result.set_result(None)
    elif isinstance(error, RayTaskError):
        result.set_exception(error.cause)
    else:
        result.set_exception(BrokenExecutor(_line(error)))


class _Metrics:
    """What Ray's own exporter shows to Prometheus."""

    def __init__(self) -> None:
        self.at_work = Gauge("selfhvd_fleet_at_work", "Clips handed to nodes, and not ended.")
        self._ended = Counter("selfhvd_fleet_ended", "Clips that ended, by how.", tag_keys=("how", "host"))
        self._frames = Counter("selfhvd_fleet_frames", "Frames restored.", tag_keys=("host",))
        self._seconds = Histogram("selfhvd_fleet_clip_seconds", "Of a clip that was done.", boundaries=_SECONDS)

    def see(self, outcome: Outcome) -> None:
        """Count what became of a clip."""
        host = {"host": outcome.node or "unknown"}
        self._ended.inc(1, {"how": outcome.kind, **host})
        if outcome.kind == "done":
            self._frames.inc(max(1, outcome.frames), host)
            self._seconds.observe(max(outcome.seconds, 0.001))
