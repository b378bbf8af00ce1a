"""What a table asks of this machine: each training's steps, windows, time and disk, and what it lacks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfhvd.research.evaluation.text import markdown
from selfhvd.research.reproduce.extent import Extent, extent_of
from selfhvd.research.reproduce.jobs import Job, Site, job_of, missing
from selfhvd.research.reproduce.pace import HOW, each_side, step_seconds, training_seconds
from selfhvd.research.reproduce.rows import Table
from selfhvd.run.disk_space import in_bytes
from selfhvd.system.progress import Progress, silent
from selfhvd.training.recipe import Recipe


@dataclass(frozen=True)
class Planned:
    """One job, made once for all rows that share it."""

    rows: tuple[str, ...]
    job: Job
    trainings: int | None
    """1, or as many as there are clips; None where that is not known."""
    steps: int
    """Of one training."""
    windows: int
    seconds: float | None
    """Of all trainings, one after the other."""
    disk: int | None
    """Bytes of aligned frames at a time."""
    extent: Extent | None
    missing: tuple[str, ...]
    done: bool


def plan(table: Table, site: Site, on_progress: Progress = silent) -> list[Planned]:
    """Of one seed; a network's pace is measured once, nothing is written."""
    rows: dict[str, list[str]] = {}
    jobs: dict[str, Job] = {}
    for row in table.rows:
        for result in row.results:
            for job in _with_first(job_of(result.setup, site)):
                key = job.folder.name
                jobs.setdefault(key, job)
                if row.name not in rows.setdefault(key, []):
                    rows[key].append(row.name)
    paces: dict[str, float] = {}
    found: list[Planned] = []
    for number, (key, job) in enumerate(jobs.items()):
        found.append(_planned(job, tuple(rows[key]), site, paces))
        on_progress("plan", number + 1, len(jobs))
    return found


def _with_first(job: Job) -> Iterator[Job]:
    if job.first is not None:
        yield from _with_first(job.first)
    yield job


def _planned(job: Job, rows: tuple[str, ...], site: Site, paces: dict[str, float]) -> Planned:
    lacks = tuple(missing(job, site))
    if not job.learns:
        return Planned(rows, job, 0, 0, 0, 0.0, 0, None, lacks, done=False)
    recipe, method = job.recipe, job.recipe.method
    extent = extent_of(recipe, site)
    trainings = (None if extent is None else extent.clips) if job.alone else 1
    steps = method.stage_one.steps + method.stage_two.steps
    pace = _pace(recipe, paces)
    plain = job.method in ("ren", "dadeblur")  # pairs of a clip are learned from in one stage
    one = pace * steps if plain else training_seconds(recipe, pace)
    disk = 0 if job.method == "ren" else None if extent is None else store_bytes(job, extent)
    done = (job.folder / "done.json").exists()
    seconds = None if trainings is None else trainings * one
    return Planned(rows, job, trainings, steps, steps * method.batch.size, seconds, disk, extent, lacks, done)


def _pace(recipe: Recipe, paces: dict[str, float]) -> float:
    batch = recipe.method.batch
    key = f"{recipe.network.backbone} {batch.crop} {batch.window} {batch.size} {recipe.network.settings}"
    if key not in paces:
        paces[key] = step_seconds(recipe)
    return paces[key]


def store_bytes(job: Job, extent: Extent) -> int:
    """Bytes of the aligned frames that a training keeps at a time.

    A training frame and its truth take 3 bytes a pixel each, a sharp frame aligned onto it 3 and two masks: 16 for
    networks without guides, 26 with; twice that where the round before is kept. Of trainings per clip there is one at
    a time. DaDeblur keeps no more than that of its re-blurred frames.
    """
    recipe = job.recipe
    per_pixel = 6 + 5 * 2 * each_side(recipe)
    rounds = 2 if recipe.method.align_every and job.method == "train" else 1
    clips = extent.clips or 1
    frames = min(-(-extent.frames // clips), recipe.method.frames) * (1 if job.alone else clips)
    return per_pixel * rounds * frames * extent.width * extent.height


def as_text(table: Table, found: Sequence[Planned], seeds: int) -> str:
    """The plan in Markdown."""
    heads = ["training", "rows", "steps", "windows", "time, about", "disk, about", "lacks"]
    lacks = list(dict.fromkeys(sentence for planned in found for sentence in planned.missing))
    lines = [_line(planned, lacks) for planned in found]
    known = [planned.seconds for planned in found if planned.seconds is not None and not planned.done]
    total = seeds * sum(known)
    unknown = len(found) - len(known) - sum(planned.done for planned in found)
    more = f", and {unknown} whose clips are not counted" if unknown else ""
    times = "" if seeds == 1 else f" for {seeds} seeds"
    sized = "counted where the dataset is there, else as published"
    return "\n\n".join(
        (
            f"# Plan of table {table.number}: {table.title}",
            markdown(heads, lines),
            *(("\n".join(f"{n}. {sentence}" for n, sentence in enumerate(lacks, 1)),) if lacks else ()),
            f"All that is yet to be trained: about {in_time(total)}{times}{more}.",
            f"Time is {HOW}. Frames are {sized}; disk is of the aligned frames, the round before included.",
            "",
        )
    )


def _line(planned: Planned, lacks: Sequence[str]) -> list[str]:
    job = planned.job
    where = job.recipe.data.folder.name
    name = f"{job.method} {job.setup.recipe}" + (f", {where}" if job.learns and where else "")
    wants = ", ".join(str(lacks.index(sentence) + 1) for sentence in planned.missing) or "-"
    if not job.learns:
        return [name, _rows(planned), "-", "-", "-", "-", wants]
    times = f"{planned.trainings or 'each clip'} x " if job.alone else ""
    time = "done" if planned.done else "not known" if planned.seconds is None else in_time(planned.seconds)
    disk = "not known" if planned.disk is None else in_bytes(planned.disk)
    return [name, _rows(planned), f"{times}{planned.steps}", f"{times}{planned.windows}", time, disk, wants]


def _rows(planned: Planned) -> str:
    return "; ".join(planned.rows)


def in_time(seconds: float) -> str:
    """In the unit that suits."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
