"""`selfhvd reproduce`: a table of the paper, made again."""

import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from selfhvd.errors import InputError, PartialError, UsageError

if TYPE_CHECKING:
    from selfhvd.research.reproduce import Findings, Site, Size
    from selfhvd.research.reproduce.rows import Table


def reproduce(
    table: str,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    data: Path | None = None,
    small: Annotated[bool, Parameter(negative="")] = False,
    photos: Path | None = None,
    seeds: int = 1,
    steps: int | None = None,
    frames: int | None = None,
    change: Annotated[Sequence[str], Parameter(name="--set", negative="")] = (),
    dry_run: Annotated[bool, Parameter(name=["--dry-run", "--plan"], negative="")] = False,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")] = False,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")] = False,
) -> None:
    """Make a table of the paper again; run the same command again to go on after a stop or a crash.

    What is missing is trained, tested and written beside the paper's numbers. A row whose dataset or weights are not
    there is named, the others go on, and the exit code is 7.

    Args:
        table: 1, 2, 3, 6, A, B, C, D, E or F; docs/reproduce.md says what each is.
        out: the run's folder: table-N.md and .json, and runs/, a folder for each training.
        data: the folder of the datasets (GoProShake, HVD, BSD/BSD_1ms8ms, ...) and of weights/.
        small: the same rows on made clips, with reduced networks and few steps.
        photos: a folder of images to film for --small; default: the photos that scikit-image brings.
        seeds: how often each row is made.
        steps: steps that each row learns with --small.
        frames: frames of a clip with --small.
        change: KEY=VALUE, as method.stage_one.steps=100; wins over every row's recipe. May be given several times.
        dry_run: print what there is to do, for how long and with how much disk, and do nothing.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.cli.progress import shown_progress
    from selfhvd.cli.signals import stopping
    from selfhvd.research.reproduce import on_made_clips, run_table
    from selfhvd.research.reproduce.jobs import job_of

    chosen = _table(table)
    given: dict[str, object] = {"--steps": steps, "--frames": frames, "--photos": photos}
    site = _site(data, out, change, _size(steps, frames) if small else None, seeds, given)
    chosen = on_made_clips(chosen) if small else chosen
    for row in chosen.rows:
        for result in row.results:
            job_of(result.setup, site)  # a key that does not fit is an error before the work
    if dry_run:
        from selfhvd.research.reproduce.plan import as_text, plan

        with shown_progress(quiet) as progress:
            found = plan(chosen, site, on_progress=progress)
        sys.stdout.write(as_text(chosen, found, seeds))
        return
    started = time.monotonic()
    unfinished = f"stopped; run the same command again to go on ({out} holds what is done)."
    with stopping(unfinished, grace=None) as stop, shown_progress(quiet) as progress:
        findings = run_table(chosen, site, seeds, photos=photos, on_progress=progress, tell=_tell, stop=stop)
    sys.stdout.write(write_table(chosen, site, seeds, findings, time.monotonic() - started))
    if findings.missing or findings.faults:
        raise PartialError(
            f"{len(findings.missing)} results of table {chosen.number} are missing, and {len(findings.faults)} clips "
            "could not be used."
        )


def _table(name: str) -> "Table":
    from selfhvd.research.reproduce import TABLES

    if name.upper() not in TABLES:
        raise UsageError(f"There is no table {name}; there are {', '.join(TABLES)}.")
    return TABLES[name.upper()]


def _size(steps: int | None, frames: int | None) -> "Size":
    from selfhvd.research.reproduce import Size

    if min(steps or 2, (frames or 8) - 6) < 2:
        raise UsageError("--steps must be at least 2, and --frames at least 8.")
    asked = {"steps": steps, "frames": frames}
    return replace(Size(), **{name: value for name, value in asked.items() if value is not None})


def _site(
    data: Path | None, out: Path, change: Sequence[str], size: "Size | None", seeds: int, given: dict[str, object]
) -> "Site":
    from selfhvd.research.reproduce import Site

    if seeds < 1:
        raise UsageError("--seeds must be at least 1.")
    if size is not None:
        if data is not None:
            raise UsageError("--data is not for --small, which makes its own clips; leave one of them out.")
        return Site(out / "clips", out, tuple(change), small=size)
    if alone := next((name for name, value in given.items() if value is not None), None):
        raise UsageError(f"{alone} goes together with --small only.")
    if data is None:
        raise UsageError("Give the folder of the datasets with --data, or say --small.")
    if not data.is_dir():
        raise InputError(f"{data} is no folder; --data is the folder that holds GoProShake, HVD and the others.")
    return Site(data, out, tuple(change))


def write_table(table: "Table", site: "Site", seeds: int, findings: "Findings", seconds: float) -> str:
    """Leave table-N.md and table-N.json in the run's folder; the first is also the answer."""
    from selfhvd.research.reproduce import as_json, as_markdown
    from selfhvd.system.atomic import write_aside

    command = shlex.join(["selfhvd", *sys.argv[1:]])
    text = as_markdown(table, site, seeds, findings, command, seconds)
    stem = site.out / f"table-{table.number}"
    write_aside(stem.with_suffix(".md"), text.encode())
    write_aside(stem.with_suffix(".json"), as_json(table, site, seeds, findings, command, seconds).encode())
    return text


def _tell(sentence: str) -> None:
    sys.stderr.write(f"selfhvd: {sentence}\n")
