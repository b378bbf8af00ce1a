"""Clip task: one clip, from its source to its result, as the command does it; done again it finds what is done."""

import json
import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from selfhvd.errors import OutputError, SelfHVDError
from selfhvd.fleet.area import Busy, folder_of, held, reserved
from selfhvd.fleet.order import FleetJob, Order, Outcome
from selfhvd.fleet.storage import as_path, bytes_of, exists, fetch, is_address, put, read, shown
from selfhvd.forecast.forecast import Forecast, forecast
from selfhvd.report.facts import RunFacts
from selfhvd.report.record import read_run
from selfhvd.run.batch import in_one_sentence
from selfhvd.run.job import deblur
from selfhvd.run.up_to_date import check_same, is_finished
from selfhvd.run.work_folder import WorkFolder, open_work_folder
from selfhvd.run.workers import Crew
from selfhvd.system.atomic import remove, write_aside
from selfhvd.video import check_source
from selfhvd.video.destination import reports_of
from selfhvd.video.read.images import rate_of

CrewFor = Callable[[Order], Crew]
"""The workers that a clip is spread over."""


class _Needs(Exception):  # noqa: N818 - nothing went wrong
    """The clip needs more than it was given."""

    def __init__(self, memory: int, wide: bool) -> None:
        self.memory, self.wide = memory, wide


class _Kept(Exception):  # noqa: N818 - the clip is restored
    """The result stands in the work area, and could not be handed over."""


def begin(job: FleetJob) -> None:
    """In the process of a worker, before its attempt: its threads, and no lines of its own."""
    logging.getLogger("selfhvd").setLevel(logging.ERROR)  # warnings stand in the report of each clip
    torch.set_num_threads(job.cpus)
    cv2.setNumThreads(job.cpus)


def attempt(job: FleetJob, order: Order, crew_for: CrewFor | None = None) -> Outcome:
    """Restore a clip, or go on with it; whatever happens is an outcome.

    Args:
        job: how.
        order: which.
        crew_for: gives the workers that a clip which is to be spread is spread over; None: nothing is spread.
    """
    began = time.monotonic()
    outcome = _attempt(job, order, crew_for)
    return replace(outcome, node=socket.gethostname(), seconds=time.monotonic() - began)


def _attempt(job: FleetJob, order: Order, crew_for: CrewFor | None) -> Outcome:
    try:
        with held(job.area, order.number):
            return _restored(job, order, crew_for)
    except Busy as busy:
        return Outcome("later", str(busy))
    except _Needs as needs:
        return Outcome("needs", memory=needs.memory, wide=needs.wide)
    except _Kept as kept:
        return Outcome("kept", str(kept))
    except Exception as error:
        logging.getLogger(__name__).debug("%s failed", order.source, exc_info=error)
        return Outcome("failed", in_one_sentence(error))


def _restored(job: FleetJob, order: Order, crew_for: CrewFor | None) -> Outcome:
    folder = folder_of(job.area, order.number)
    source = fetch(order.source, folder / "source")
    destination = as_path(order.result) if job.is_beside else folder / as_path(order.result).name
    if _is_there(job, order, source):
        remove(folder)
        return Outcome("there")
    anew = job.options.restart and order.fresh
    if not job.is_beside and not anew and _is_kept(job, source, destination):
        frames = int(read_run(reports_of(destination)[1])["frames"])
        _deliver(order, destination)
        remove(folder)
        return Outcome("done", frames=frames)
    found = _look(job, order, source, destination)
    with reserved(job.area, order.number, found.room.total, job.quota):
        facts = _deblurred(job, order, source, destination, crew_for)
        if not job.is_beside:
            _deliver(order, destination)
        remove(folder)
    return Outcome("done", frames=facts.frames)


def _is_kept(job: FleetJob, source: Path, destination: Path) -> bool:
    """Whether an earlier attempt restored it, and could not hand it over."""
    try:
        return all(file.exists() for file in reports_of(destination)) and _is_made(job, destination, source)
    except OutputError:  # it is of other settings
        return False


def _deblurred(job: FleetJob, order: Order, source: Path, destination: Path, crew_for: CrewFor | None) -> RunFacts:
    crew = crew_for(order) if order.wide and crew_for is not None else None
    options = replace(job.options, restart=job.options.restart and order.fresh)
    if not job.is_beside:
        destination.parent.mkdir(parents=True, exist_ok=True)
        options = replace(options, overwrite=True)  # what lies there is of an attempt that was not handed over
    return deblur(source, destination, config=job.config, **vars(options), crew=crew)


def _look(job: FleetJob, order: Order, source: Path, destination: Path) -> Forecast:
    """What the clip will take; `_Needs` where that is more than it was given."""
    options = job.options
    check_source(source)
    assert job.pace is not None
    found = forecast(
        source,
        destination,
        job.config,
        job.pace,
        coding=options.coding,
        keep_work=options.keep_work,
        rate=rate_of(source, options.fps),
        workers=1,
    )
    wide = found.seconds > job.spread_from
    if not order.memory and (found.memory > job.grant or wide):  # it is asked once: the rest is a guess, too
        raise _Needs(max(found.memory, 1), wide)
    return found


def _is_there(job: FleetJob, order: Order, source: Path) -> bool:
    """Whether an earlier attempt, or another run, has made just this result."""
    try:
        if job.is_beside:
            return _is_made(job, as_path(order.result), source)
        return _is_delivered(job, order, source)
    except OutputError:
        if job.options.overwrite:
            return False
        raise


def _is_made(job: FleetJob, result: Path, source: Path) -> bool:
    """A work folder beside it says that an attempt was cut off between the result and its record."""
    if WorkFolder(result).path.exists():
        return False
    rate = rate_of(source, job.options.fps)
    return is_finished(source, result, job.config, job.options.strength, rate, job.options.coding)


def _is_delivered(job: FleetJob, order: Order, source: Path) -> bool:
    """The record comes before the result, and tells its bytes: others are of a delivery that was cut off."""
    if not exists(order.result):
        return False
    record = read(_record_of(order.result))
    if record is None:
        raise OutputError(f"{shown(order.result)} exists; choose another output or ask to overwrite it.")
    told = json.loads(record)
    rate = rate_of(source, job.options.fps)
    check_same(told, source, shown(order.result), job.config, job.options.strength, rate, job.options.coding)
    return "bytes" not in told or told["bytes"] == bytes_of(order.result)


def _record_of(result: str) -> str:
    """The record beside a result."""
    folder, _, name = result.rpartition("/")
    return f"{folder}/{reports_of(Path(name))[1].name}"


def _deliver(order: Order, destination: Path) -> None:
    """Hand over the report, the record, and last the result, with which all is there; `_Kept` where that fails."""
    page, record = reports_of(destination)
    told = read_run(record)
    told |= {"source": shown(order.source), "output": shown(order.result), "bytes": bytes_of(str(destination))}
    write_aside(record, f"{json.dumps(told, indent=2)}\n".encode())
    folder = order.result.rpartition("/")[0] if is_address(order.result) else str(as_path(order.result).parent)
    try:
        put((page, record, destination), folder)
    except OutputError as error:
        raise _Kept(str(error)) from error


def clear_clip(job: FleetJob, order: Order) -> None:
    """Remove what a clip that was set aside left in the work area and beside its result."""
    with suppress(SelfHVDError), held(job.area, order.number):
        remove(folder_of(job.area, order.number))
        if job.is_beside:
            with open_work_folder(as_path(order.result)):
                pass  # it goes with the context
