"""Workers: processes on this machine that do tasks side by side, as many as cores and memory allow."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import ParamSpec, Protocol, runtime_checkable

import torch

from selfhvd.backbones.backbone import Needs
from selfhvd.errors import DeviceError, UsageError
from selfhvd.restore.inference import LARGE_FRAME
from selfhvd.run.loading import context, load_ahead
from selfhvd.run.tasks import Task, Workplace, do
from selfhvd.system.memory import free_bytes

log = logging.getLogger(__name__)

_BYTES, _BYTES_PER_PIXEL, _OF_LARGE = 350 * 2**20, 520, 280
"""Memory of a worker, what it takes more for each pixel of a frame, and of one that is restored in tiles, for it is
large; see docs/speed.md."""
_SHARE = 0.75
"""Part of the free memory that they may fill."""
_WORTH = 1_500_000
"""Pixels of a clip below which others are not yet loaded when it is done."""
_TRIES = 5
"""Times that a pool is made for one task."""
P = ParamSpec("P")


def check_workers(asked: int | None) -> None:
    """`UsageError` unless it is a number of processes, or None."""
    if asked is not None and asked < 1:
        raise UsageError(f"There must be at least 1 worker, not {asked}.")


def worker_bytes(pixels: int) -> int:
    """Memory that a worker takes for frames of so many pixels, about."""
    return _BYTES + max(_BYTES_PER_PIXEL * min(pixels, LARGE_FRAME), _OF_LARGE * pixels)


def workers_for(pixels: int, frames: int, needs: Needs, device: torch.device, asked: int | None) -> int:
    """How many processes restore a clip at a time; 1: this one, alone.

    Args:
        pixels: of a frame.
        frames: of the clip.
        needs: of the network; one that looks at several frames at once takes them in order.
        device: a graphics card is one, and so is its worker.
        asked: by the user; None: as many as torch was given threads, and as fit into the free memory.
    """
    if device.type != "cpu" or not needs.single:
        return 1
    if asked is not None:
        return asked
    if pixels * frames < _WORTH:
        return 1
    room = int(_SHARE * free_bytes(device)) // worker_bytes(pixels)
    return max(1, min(torch.get_num_threads(), room))


@runtime_checkable
class Crew(Protocol):
    """Whoever does tasks side by side, wherever."""

    count: int
    """How many work at a time."""

    def submit(self, place: Workplace, task: Task) -> "Future[None]":
        """A task for the next that is free; where its process is lost the result raises `BrokenExecutor`."""
        ...


class Workers:
    """A pool of processes; where some are lost the next task finds a new one."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._before = set(multiprocessing.active_children())
        self._pool: Executor | None = None

    def submit(self, place: Workplace, task: Task) -> "Future[None]":
        """A task for the next that is free; where its process is lost the result raises `BrokenExecutor`."""
        return self._submit(do, place, task)

    def _submit(self, work: Callable[P, None], *given: P.args, **named: P.kwargs) -> "Future[None]":
        for attempt in range(_TRIES):
            if self._pool is None:
                self._pool = ProcessPoolExecutor(self.count, mp_context=context(), initializer=_begin)
            try:
                return self._pool.submit(work, *given, **named)
            except (BrokenExecutor, EOFError, OSError):  # the last two where what makes new processes is lost
                log.warning("a process that restores frames was lost; what it was at is done again")
                self._close()
                time.sleep(0.2 * (attempt + 1))  # until the system has seen that it is gone
        raise DeviceError("Processes that restore frames cannot be started; free some memory, or say --workers 1.")

    def stop(self) -> None:
        """End them, whatever they are at; tasks leave nothing half-written."""
        for child in set(multiprocessing.active_children()) - self._before:
            child.terminate()
        self._close()

    def _close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def side_by_side(count: int) -> Generator[Workers | None]:
    """So many workers, which end with the block; None where there would be one."""
    if count < 2:
        yield None
        return
    load_ahead()
    workers = Workers(count)
    try:
        yield workers
    finally:
        workers.stop()


def _begin() -> None:
    """In each worker: Ctrl-C is the run's to answer; and a worker whose run was killed ends, too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
