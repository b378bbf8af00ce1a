"""Measure what a job gives over a place, by the functions of `selfhvd evaluate`."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from selfhvd.errors import InputError
from selfhvd.research.evaluation import EvaluationConfig, Given, Outputs, Restored, evaluate_dataset
from selfhvd.research.reproduce.jobs import Job, Site
from selfhvd.research.reproduce.labelled import measure_selection
from selfhvd.research.reproduce.rows import NO_TRUTH, Result
from selfhvd.system.progress import Progress


@dataclass(frozen=True)
class Measured:
    """One result."""

    values: dict[str, float]
    clips: int = 0
    """That were measured; 0 where frames are counted."""
    faults: tuple[str, ...] = ()


def iqa_at_hand() -> bool:
    """Whether the extra `iqa` is installed."""
    return find_spec("pyiqa") is not None


def measure(result: Result, job: Job, site: Site, on_progress: Progress) -> Measured:
    """Means over clips of their means over all frames.

    Raises:
        InputError: there is no dataset, or nothing of it can be measured.
        WeightsError, DeviceError: see `Restored`.
    """
    faults: list[str] = []

    def note(fault: InputError) -> None:
        faults.append(str(fault))

    place = result.place
    if job.method == "select":
        return Measured(measure_selection(job, place, site, on_progress, note), 0, tuple(faults))
    wanted = {metric for metric, _ in result.paper}
    config = EvaluationConfig(iqa=iqa_at_hand() and bool(wanted & set(NO_TRUTH)), device=job.recipe.device)
    found = evaluate_dataset(
        site.folder(place), outputs_of(job), layout=site.layout(place), part=place.part, config=config,
        on_fault=note, on_progress=on_progress,
    )  # fmt: skip
    values = next(mean.values for mean in found.means if mean.over == "clips" and mean.group == "all")
    return Measured(values, len(found.clips), tuple(faults))


def outputs_of(job: Job) -> Outputs:
    """Where a job's outputs come from."""
    if not job.learns:
        return Restored(Path(job.recipe.network.weights), device=job.recipe.device)
    return Given(job.result) if job.alone else Restored(job.result, device=job.recipe.device)
