"""`selfhvd evaluate`: how good a result is, in numbers that say how they were made."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console

Flow = Literal["dis", "sea-raft-s", "sea-raft-m", "raft", "flowformer++"]


def evaluate(
    result: Path,
    *,
    truth: Path | None = None,
    source: Annotated[Path | None, Parameter(name="--input")] = None,
    out: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    sharp_labels: Path | None = None,
    iqa: Annotated[bool, Parameter(negative="")] = False,
    flow: Flow = "dis",
    flow_weights: Path | None = None,
    device: str = "auto",
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")] = False,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")] = False,
) -> None:
    """Measure a result against the truth, against its input, or on its own.

    The clips are videos or folders of images, alike in size and number of frames. Every form of the result carries each
    metric's definition, version, colour space, borders and averaging.

    Args:
        result: the clip to measure.
        truth: what it should be, frame by frame; PSNR, SSIM and LPIPS (extra `lpips`) need it.
        source: the input it was made from; its blurry and sharp frames are then told apart.
        out: write frames.csv, clip.csv, evaluation.json and evaluation.md into this folder.
        as_json: print everything as JSON.
        sharp_labels: a file with 0 or 1 for each frame of the input (1 = sharp), one a line or a JSON list.
        iqa: MUSIQ and MANIQA too (extra `iqa`: its licence forbids commercial use).
        flow: the optical flow behind drift and flicker; numbers by different flows do not compare.
        flow_weights: weights of the flow network, instead of what was fetched.
        device: auto, cpu, cuda, cuda:N or mps.
        overwrite: replace an earlier evaluation in --out.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.evaluation import EvaluationConfig
    from selfhvd.evaluation import evaluate as run
    from selfhvd.evaluation_tables import as_json as in_json
    from selfhvd.evaluation_tables import as_table, prepare_folder, write_tables
    from selfhvd.progress import shown_progress

    if out is not None:
        prepare_folder(out, overwrite=overwrite)
    config = EvaluationConfig(flow=flow, flow_weights=flow_weights, iqa=iqa, device=device)
    with shown_progress(quiet or as_json) as progress:
        found = run(result, truth=truth, source=source, sharp_labels=sharp_labels, config=config, on_progress=progress)
    if out is not None:
        write_tables(out, found)
    if as_json:
        sys.stdout.write(in_json(found) + "\n")
        return
    Console().print(as_table(found))
    for line in found.notes:
        sys.stdout.write(line + "\n")
    if out is not None:
        sys.stdout.write(f"{out}\n")
    elif not quiet:
        sys.stderr.write("How each number is made stands in what --out FOLDER and --json give.\n")
