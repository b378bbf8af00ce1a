"""Run a benchmark: every trial once, in processes of its own, each result on disk as soon as it is there."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from selfhvd.errors import OutputError
from selfhvd.research.benchmark.clips import film, photos_of
from selfhvd.research.benchmark.rows import Setup, Table
from selfhvd.research.benchmark.size import Size
from selfhvd.research.benchmark.trial import Score, try_out
from selfhvd.system.atomic import write_aside
from selfhvd.system.progress import Progress, silent

Scores = dict[tuple[Setup, int], Score | None]
"""Of each setup and seed; None where it could not be run."""


@dataclass(frozen=True)
class _Trial:
    setup: Setup
    seed: int
    size: Size
    photos: tuple[Path, ...]
    result: Path


def run_benchmark(
    tables: Sequence[Table],
    size: Size,
    folder: Path,
    *,
    photos: Path | None = None,
    workers: int = 2,
    on_progress: Progress = silent,
) -> Scores:
    """All trials of the tables; those that an earlier run of the same size finished are looked up.

    Args:
        tables: what is wanted; rows that are alike are run once.
        size: what is filmed and how long is trained.
        folder: gets trials/*.json.
        photos: a folder of images to film; default: those that scikit-image brings.
        workers: processes; each uses its share of the cores.
        on_progress: told stage, done, total.

    Raises:
        OutputError: the folder cannot be written.
        InputError: the photos cannot be read.
    """
    pictures = photos_of(photos)
    wanted = {
        (row.setup, seed): None
        for table in tables
        for seed in (size.seeds if table.every_seed else size.seeds[:1])
        for row in table.rows
    }
    try:
        (folder / "trials").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error.strerror}); choose another --out.") from error
    trials = {
        key: _Trial(*key, size, pictures, folder / "trials" / f"{_key(key[0], key[1], size, pictures)}.json")
        for key in wanted
    }
    missing = [trial for trial in trials.values() if not trial.result.exists()]
    done = len(trials) - len(missing)
    on_progress("trials", done, len(trials))
    threads = max(1, (os.cpu_count() or 1) // workers)
    # Leaving the context, in whatever way, ends the workers at once.
    with get_context("spawn").Pool(workers, _settle, (threads,)) as pool:
        for now, _ in enumerate(pool.imap_unordered(_run, missing), done + 1):
            on_progress("trials", now, len(trials))
    return {key: _read(trial.result) for key, trial in trials.items()}


def _settle(threads: int) -> None:
    """In a worker, before its first trial."""
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def _run(trial: _Trial) -> None:
    score = try_out(trial.setup, trial.size, film(trial.photos, trial.size, trial.seed), trial.seed)
    facts = {
        "setup": asdict(trial.setup),
        "seed": trial.seed,
        "size": asdict(trial.size),
        "score": None if score is None else asdict(score),
        "ended": round(time.time()),
    }
    write_aside(trial.result, json.dumps(facts, indent=2).encode())


def _read(path: Path) -> Score | None:
    score = json.loads(path.read_text(encoding="utf-8"))["score"]
    return None if score is None else Score(**score)


def _key(setup: Setup, seed: int, size: Size, photos: Sequence[Path]) -> str:
    """A name that changes with everything that has a say in the score, and not with options added later."""
    facts = [
        _changed(setup, Setup()),
        _changed(replace(size, seeds=Size().seeds), Size()),
        seed,
        *(p.name for p in photos),
    ]
    said = json.dumps(facts, sort_keys=True)
    return f"{setup.method}-{seed}-{hashlib.sha256(said.encode()).hexdigest()[:12]}"


def _changed(chosen: Setup | Size, default: Setup | Size) -> dict[str, object]:
    """The fields that are not at their default."""
    usual = asdict(default)
    return {name: value for name, value in asdict(chosen).items() if value != usual[name]}
