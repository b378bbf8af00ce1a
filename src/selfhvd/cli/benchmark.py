"""`selfhvd benchmark`: the paper's ablations and comparisons, as tables."""

import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from selfhvd.errors import UsageError


def benchmark(
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("selfhvd-benchmark"),
    small: Annotated[bool, Parameter(negative="")] = False,
    size: Literal["small", "medium", "large"] = "medium",
    table: Annotated[Sequence[str], Parameter(negative="")] = (),
    photos: Path | None = None,
    seeds: int | None = None,
    steps: int | None = None,
    frames: int | None = None,
    backbone: str | None = None,
    workers: int = 2,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")] = False,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")] = False,
) -> None:
    """Make the paper's ablations on synthetic handheld clips; run the same command again to go on.

    Args:
        out: folder for each trial's result, and benchmark.md.
        small: the same as --size small; about an hour on two cores.
        size: how much is filmed and how long is trained.
        table: parts, methods, sevd, updates, masks, flow, segment, start, methods-scratch (these by default),
            parts-scratch, sevd-scratch or parts-coarse; may be given several times.
        photos: a folder of images to film; default: the photos that scikit-image brings.
        seeds: how many seeds instead of three.
        steps: steps that each row learns.
        frames: frames a clip.
        backbone: lite, ifirnn, estrnn, basicvsrpp or rvrt; default lite.
        workers: trials at a time.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.cli.progress import shown_progress
    from selfhvd.research.benchmark import DEFAULT, SIZES, TABLES, as_markdown, run_benchmark
    from selfhvd.system.atomic import write_aside
    from selfhvd.weights.choose_backbone import check_backbone

    if unknown := [name for name in table if name not in TABLES]:
        raise UsageError(f"There is no table {unknown[0]}; there are {', '.join(TABLES)}.")
    if backbone is not None:
        check_backbone(backbone)
    if workers < 1 or min(seeds or 1, steps or 3, (frames or 8) - 7) < 1:
        raise UsageError("--workers, --seeds and --steps must be at least 1, and --frames at least 8.")
    chosen = SIZES["small" if small else size]
    asked = {"steps": steps, "frames": frames, "backbone": backbone}
    chosen = replace(chosen, **{name: value for name, value in asked.items() if value is not None})
    if seeds is not None:
        chosen = replace(chosen, seeds=tuple(range(seeds)))
    tables = [TABLES[name] for name in table or DEFAULT]
    started = time.monotonic()
    with shown_progress(quiet) as progress:
        scores = run_benchmark(tables, chosen, out, photos=photos, workers=workers, on_progress=progress)
    command = shlex.join(["selfhvd", *sys.argv[1:]])
    text = as_markdown(tables, chosen, scores, command, time.monotonic() - started)
    write_aside(out / "benchmark.md", text.encode())
    sys.stdout.write(text)
