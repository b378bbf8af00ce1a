"""A fleet from its sources to its summary: what `selfhvd fleet` does."""

import json
import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

from selfhvd.errors import UsageError
from selfhvd.fleet.driver import Driver, State
from selfhvd.fleet.ledger import Ledger
from selfhvd.fleet.order import GRANT, FleetJob, Order, Outcome
from selfhvd.fleet.ray_executor import RayExecutor, check_nodes, clear_nodes, pace_of, ray_cluster
from selfhvd.fleet.sources import check_output, wanted
from selfhvd.fleet.state_folder import ledger_path
from selfhvd.fleet.storage import as_path, is_address, shown, tidy
from selfhvd.fleet.summary import Summary, summary_of
from selfhvd.report.record import plain
from selfhvd.run.batch import make_folder
from selfhvd.run.config import DeblurConfig
from selfhvd.run.options import RunOptions
from selfhvd.system.versions import versions


@dataclass(frozen=True)
class FleetPlan:
    """How a fleet goes about its work; nothing here changes a result."""

    address: str | None = None
    """Of a Ray cluster, `auto` or HOST:PORT; None: Ray is started on this machine."""
    workers: int | None = None
    """CPUs that Ray uses where it is started here; None: all."""
    cpus: int = 1
    """Of a clip that is not spread."""
    gpus: float = 0.0
    """Of a clip; a part of one lets several clips share it."""
    work: Path | None = None
    quota: int | None = None
    """Bytes in the work area at a time; None: as much as there is."""
    time_limit: float = 6 * 3600.0
    """Seconds after which a clip is ended and set aside."""
    spread_from: float = 3600.0
    """Seconds of one worker above which a clip is spread, by its forecast."""
    spread_over: int = 16
    """Workers of a clip that is spread, at most."""
    state: Path | None = None
    """Folder of the ledger; None: the output, or a folder where the command runs if that is an address."""
    retry: bool = False
    """Try again what was set aside."""
    restart: bool = False
    """Forget what was done."""

    def check(self) -> None:
        """`UsageError` for what makes no sense."""
        least = {
            "--workers": self.workers or 1,
            "--cpus": self.cpus,
            "--spread-over": self.spread_over,
            "--work-quota": 1 if self.quota is None else self.quota,
        }
        for name, value in least.items():
            if value < 1:
                raise UsageError(f"{name} must be at least 1, not {value}.")
        if not self.time_limit > 0:
            raise UsageError(f"--time-limit must be above 0, not {self.time_limit / 60:g}.")
        if not self.gpus >= 0:
            raise UsageError(f"--gpus must be at least 0, not {self.gpus:g}.")


def run_fleet(
    sources: Sequence[str],
    output: str,
    config: DeblurConfig,
    options: RunOptions,
    plan: FleetPlan,
    *,
    on_state: Callable[[State], None] = lambda state: None,
    on_trouble: Callable[[Order, Outcome, bool], None] = lambda order, outcome, aside: None,
    on_note: Callable[[str], None] = lambda sentence: None,
    stop: Callable[[], bool] = lambda: False,
) -> Summary:
    """Restore all clips, on as many machines as there are; called again, it goes on.

    Args:
        sources: files, folders, lists, fsspec addresses.
        output: folder, or fsspec address, for the results.
        config: everything that decides the restored frames.
        options: how a run goes about it.
        plan: how the fleet does.
        on_state: told how far it is, every few seconds.
        on_trouble: told of each clip that failed, and whether it was set aside.
        on_note: told what a person should know before the work.
        stop: asked all along; True ends it.

    Returns:
        What became of them, those of earlier runs among them.

    Raises:
        Stopped: `stop` said so.
        InputError, OutputError, UsageError, WeightsError, DeviceError: see `selfhvd.errors`.
    """
    plan.check()
    check_output(output)
    output = tidy(output)
    path = ledger_path(output, plan.state)
    clips = wanted(sources, output, options.ending, {} if plan.restart else _known(path))
    if not is_address(output):
        make_folder(as_path(output))
    job = FleetJob(
        output, config, replace(options, report=True, workers=1), _absolute(plan.work), plan.quota, plan.cpus
    )
    if plan.restart:
        job = replace(job, options=replace(job.options, restart=True))
    with closing(Ledger(path)) as ledger:
        if plan.restart:
            ledger.restart()
        ledger.agree(settings_of(output, config, options))
        ledger.add(clips)
        if plan.retry:
            ledger.reopen()
        if ledger.tally().left:
            with ray_cluster(job.name, plan.address, plan.workers):
                _on_ray(ledger, job, plan, on_state, on_trouble, on_note, stop)
        return summary_of(ledger)


def _on_ray(
    ledger: Ledger,
    job: FleetJob,
    plan: FleetPlan,
    on_state: Callable[[State], None],
    on_trouble: Callable[[Order, Outcome, bool], None],
    on_note: Callable[[str], None],
    stop: Callable[[], bool],
) -> None:
    shared = check_nodes(job)
    pace = pace_of(job.config, plan.cpus, plan.gpus)
    can_spread = shared and pace.needs.single and pace.device == "cpu"
    if not shared:
        on_note("Not all nodes see one work area (--work), so every clip stays on one node.")
    job = replace(job, pace=pace, spread_from=plan.spread_from if can_spread else math.inf)
    largest = RayExecutor(job, plan.gpus, plan.spread_over).largest()
    job = replace(job, grant=min(GRANT, largest))
    executor = RayExecutor(job, plan.gpus, plan.spread_over)
    driver = Driver(
        ledger,
        executor,
        plan.time_limit,
        on_state=on_state,
        on_trouble=on_trouble,
        on_aside=executor.clear_clip,
        stop=stop,
    )
    driver.run()
    executor.finish()
    clear_nodes(job)


def _known(path: Path) -> dict[str, str]:
    """Results of the clips that are in the ledger already."""
    if not path.is_file():
        return {}
    with closing(Ledger(path)) as ledger:
        return ledger.results()


def _absolute(folder: Path | None) -> Path | None:
    return None if folder is None else folder.absolute()


def settings_of(output: str, config: DeblurConfig, options: RunOptions) -> dict[str, str]:
    """Everything that decides a result."""
    told = cast("dict[str, object]", plain(asdict(config.resolved())))
    told |= {
        "the output": shown(output),
        "strength": options.strength,
        "codec": options.codec,
        "quality": options.quality,
        "strip_location": options.strip_location,
        "fps": str(options.fps),
    }
    told |= {f"the version of {name}": version for name, version in versions().items()}
    return {name: json.dumps(value) for name, value in told.items()}
