"""What is told of a job: to the page and to programs alike."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from selfhvd.run.places import work_path
from selfhvd.system.disk import filled
from selfhvd.video.destination import reports_of
from selfhvd.web.folder import JobFolder, read_json
from selfhvd.web.record import Outcome, Progress, Settings, State
from selfhvd.web.store import Entry


class Brief(BaseModel):
    """A job in the list."""

    id: str
    name: str
    """As the clip is called; text."""
    state: State
    settings: Settings
    made: float
    """When it came, seconds since 1970."""
    queued: float
    """When it was put into the queue, which is in this order."""
    before: int
    """Clips that come before it, whoever's they are; 0 unless it is queued."""
    progress: Progress | None
    facts: dict[str, Any] | None
    """Width, height, frames, codec, depth, seconds, bytes; None until they are known."""
    sentence: str
    """Why it failed; "" otherwise."""
    exit_code: int
    warnings: tuple[str, ...]
    seconds: float
    """Of work since it was last started or gone on with, where it has ended."""
    has_poster: bool


class Full(Brief):
    """A job by itself."""

    forecasts: dict[str, Any] | None
    """By preset: seconds, bytes of disk, bytes that stay, what the coding changes; None until they are known."""
    curve: dict[str, Any] | None
    """`times` in seconds and `blur` in pixels of each frame (null: not told), and the `hardest` five seconds."""
    result: dict[str, Any] | None
    """File, size, bytes kept for another strength, how the copy is laid out, sharpness before and after."""


def brief(entry: Entry, before: int = 0) -> Brief:
    """For the list; `before`: how many come before it."""
    return Brief.model_validate({**_facts(entry), "before": before})


def full(entry: Entry, before: int = 0) -> Full:
    """All of it."""
    look, outcome = read_json(entry.folder.look), entry.folder.outcome(entry.job)
    result = _result(entry.folder, outcome) if outcome is not None and outcome.state == "done" else None
    more = {"forecasts": look.get("forecasts"), "curve": look.get("curve"), "result": result, "before": before}
    return Full.model_validate({**_facts(entry), **more})


def _facts(entry: Entry) -> dict[str, object]:
    job, folder = entry.job, entry.folder
    outcome = folder.outcome(job) or Outcome(run=job.run, state="cancelled")
    told = {name: getattr(outcome, name) for name in ("sentence", "exit_code", "warnings", "seconds")}
    own = {name: getattr(job, name) for name in ("id", "name", "settings", "made", "queued")}
    rest = {"state": entry.state, "progress": folder.progress(job), "facts": read_json(folder.facts) or None}
    return {**own, **told, **rest, "has_poster": folder.poster.exists()}


def _result(folder: JobFolder, outcome: Outcome) -> dict[str, Any]:
    file = folder.result(outcome)
    page, record = reports_of(file)
    run, copy = read_json(record), read_json(folder.copy_facts)
    selection = run.get("selection") or {}
    return {
        "file": file.name,
        "bytes": file.stat().st_size if file.exists() else 0,
        "kept": filled(work_path(file)),
        "copy": copy or None,
        "report": page.exists(),
        "record": record.exists(),
        "sharpness_before": selection.get("sharpness", []),
        "sharpness_after": run.get("sharpness_after", []),
        "blur": selection.get("blur", []),
        "sharp": selection.get("sharp", []),
        "left": run.get("left", 0),
        "frames": run.get("frames", 0),
        "strength": run.get("strength", 1.0),
        "verdict": selection.get("verdict", ""),
    }


def report_of(file: Path) -> Path:
    """The report of a result."""
    return reports_of(file)[0]


def record_of(file: Path) -> Path:
    """The record of a result."""
    return reports_of(file)[1]
