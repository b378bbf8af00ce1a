"""Make a table: train what is missing, measure it, write each number down as soon as it is there."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from selfhvd.errors import InputError, OutputError, UsageError, WeightsError
from selfhvd.research.benchmark.clips import photos_of
from selfhvd.research.reproduce.alone import train_alone
from selfhvd.research.reproduce.jobs import Job, Site, job_of, missing
from selfhvd.research.reproduce.made import make_data
from selfhvd.research.reproduce.measure import Measured, iqa_at_hand, measure
from selfhvd.research.reproduce.rows import NO_TRUTH, Metric, Result, Setup, Table
from selfhvd.system.atomic import write_aside
from selfhvd.system.progress import Progress, silent, stoppable
from selfhvd.training.job import train

Tell = Callable[[str], None]
_SCORES: tuple[tuple[Metric, str], ...] = (("psnr", ""), ("ssim", ""))


@dataclass
class Findings:
    """What was found of a table."""

    values: dict[tuple[str, int, int], dict[str, float]] = field(
        default_factory=dict[tuple[str, int, int], dict[str, float]]
    )
    """Of (name of the row, number of the result in it, seed)."""
    missing: dict[str, str] = field(default_factory=dict[str, str])
    """Name of a row: what it lacks, in a sentence."""
    faults: list[str] = field(default_factory=list[str])
    """Broken clips, and metrics that could not be measured."""


def on_made_clips(table: Table) -> Table:
    """The same table where every dataset is made, and so has a truth: PSNR and SSIM everywhere a network is tested."""

    def scored(result: Result) -> Result:
        names = {metric for metric, _ in result.paper}
        if names.isdisjoint(NO_TRUTH):
            return result
        kept = result.paper if iqa_at_hand() else ()
        return replace(result, paper=(*_SCORES, *kept))

    return replace(table, rows=tuple(replace(row, results=tuple(map(scored, row.results))) for row in table.rows))


def datasets_of(table: Table) -> tuple[str, ...]:
    """The names of the datasets that a table, and the starts of its rows, look at."""
    found: dict[str, None] = {}
    for row in table.rows:
        for result in row.results:
            found[result.place.folder] = None
            found |= dict.fromkeys(_taught_on(result.setup))
    return tuple(found)


def _taught_on(setup: Setup) -> list[str]:
    data = job_of(replace(setup, start=None), Site(Path(), Path())).recipe.data.folder
    mine = [] if setup.method in ("as-it-comes", "select") else [data.as_posix()]
    return mine + ([] if setup.start is None else _taught_on(setup.start.taught))


def site_of(site: Site, table: Table, seed: int, photos: Path | None = None, on_progress: Progress = silent) -> Site:
    """The site of a seed; with `small` its clips are filmed first, into the run's folder."""
    site = replace(site, seed=seed)
    if site.small is None:
        return site
    pictures = photos_of(photos)
    data = make_data(site.out / "clips", datasets_of(table), site.small, pictures, seed, on_progress)
    return replace(site, data=data)


def run_table(
    table: Table,
    site: Site,
    seeds: int = 1,
    *,
    photos: Path | None = None,
    on_progress: Progress = silent,
    tell: Tell = lambda sentence: None,
    stop: Callable[[], bool] = lambda: False,
) -> Findings:
    """All results of a table; those that an earlier run finished are looked up, an unfinished training goes on.

    Args:
        table: which.
        site: where the data are and the runs lie.
        seeds: how often, each time from other first weights (and with `small` on other clips).
        photos: what is filmed where the site is small; default: the photos that scikit-image brings.
        on_progress: told stage, done, total.
        tell: told in a sentence of each row that cannot be made, and of each broken clip.
        stop: asked between steps and frames.

    Raises:
        Stopped: `stop` said so; what was finished is kept.
        OutputError: the run's folder cannot be written.
        DeviceError: there is no such device, or not enough memory.
    """
    try:
        (site.out / "results").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{site.out} cannot be written ({error.strerror}); choose another --out.") from error
    found = Findings()
    told = stoppable(on_progress, stop)
    for seed in range(seeds):
        here = site_of(site, table, seed, photos, told)
        for row in table.rows:
            for number, result in enumerate(row.results):
                name = f"{row.name} on {result.place.folder}"
                try:
                    done = _result(result, here, _Calls(told, on_progress, stop))
                except (InputError, UsageError, WeightsError) as error:
                    found.missing[name] = str(error)
                    tell(f"{name}: {error}")
                    continue
                found.values[row.name, number, seed] = done.values
                for fault in done.faults:
                    if fault not in found.faults:
                        found.faults.append(fault)
                        tell(fault)
    return found


@dataclass(frozen=True)
class _Calls:
    told: Progress
    """May raise `Stopped`."""
    plain: Progress
    stop: Callable[[], bool]


def _result(result: Result, site: Site, calls: _Calls) -> Measured:
    job = job_of(result.setup, site)
    path = site.out / "results" / f"{_key(result, job)}.json"
    if path.exists():
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Measured(facts["values"], facts["clips"], tuple(facts["faults"]))
    if lacks := missing(job, site):
        raise WeightsError("; ".join(lacks) + ".")
    if not site.folder(result.place).is_dir():
        raise InputError(
            f"there is no {site.folder(result.place)}; docs/datasets.md says how {result.place.layout} lies."
        )
    learned = _train(job, calls)
    measured = measure(result, job, site, calls.told)
    measured = replace(measured, faults=(*learned, *measured.faults))
    facts = {"setup": asdict(result.setup), "place": asdict(result.place), "run": job.folder.name, **asdict(measured)}
    write_aside(path, json.dumps(facts, indent=2).encode())
    return measured


def _key(result: Result, job: Job) -> str:
    """Alike for alike results; with other metrics installed it is another."""
    wanted = iqa_at_hand() and any(metric in NO_TRUTH for metric, _ in result.paper)
    said = json.dumps([job.folder.name, asdict(result.place), wanted], sort_keys=True)
    return f"{job.folder.name}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def _train(job: Job, calls: _Calls) -> tuple[str, ...]:
    """What could not be learned from, in sentences; a training that ended is not begun again."""
    faults = _train(job.first, calls) if job.first is not None and not job.first.result.exists() else ()
    if not job.learns:
        return faults
    note = job.folder / "done.json"
    if not note.exists():
        mine: list[str] = []
        if job.method == "train":
            trained = train(job.recipe, job.folder, on_progress=calls.plain, stop=calls.stop)
            mine += trained.faults
        else:
            train_alone(job, on_progress=calls.told, on_fault=lambda fault: mine.append(str(fault)), stop=calls.stop)
        write_aside(note, json.dumps(mine).encode())
    return (*faults, *json.loads(note.read_text(encoding="utf-8")))
