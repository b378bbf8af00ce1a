"""`selfhvd fleet`: many clips, or long ones, on many machines; and `fleet status`, how far it is."""

import json
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from selfhvd.cli.deblur import Codec, Flow, Preset, Which
from selfhvd.cli.words import AsJson, Flag, Quiet, ShownProgress, Verbose, out
from selfhvd.errors import PartialError, UsageError

if TYPE_CHECKING:
    from selfhvd.fleet.summary import Summary

app = App(
    name="fleet", help="Deblur many clips, or long ones, on many machines; `fleet status OUT` says how far it is."
)
_SHOWN = 20
"""Failures that the table names; all are in the JSON."""


@app.default
def fleet(
    *source: str,
    output: Annotated[str, Parameter(name=["--output", "-o"])],
    address: str | None = None,
    workers: int | None = None,
    cpus: int = 1,
    gpus: float = 0.0,
    work: Path | None = None,
    work_quota: float | None = None,
    time_limit: float = 360.0,
    spread_from: float = 60.0,
    spread_over: int = 16,
    state: Path | None = None,
    retry: Flag = False,
    restart: Flag = False,
    overwrite: Flag = False,
    preset: Preset = "fast",
    strength: float = 1.0,
    quality: float | None = None,
    codec: Codec = "auto",
    restore: Which | None = None,
    backbone: str | None = None,
    weights: Path | None = None,
    flow: Flow = "auto",
    flow_weights: Path | None = None,
    adapt: Flag = False,
    seed: int = 0,
    device: str = "auto",
    strip_location: Flag = False,
    fps: str | None = None,
    as_json: AsJson = False,
    progress: ShownProgress = "auto",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Deblur many clips, or long ones, on many machines; the same command goes on wherever it was cut off.

    A clip that fails three times, or outlasts its time, is set aside with its reason; the exit code is then 7.

    Args:
        source: clips, folders of videos, lists of them (.txt, one a line), fsspec addresses (s3://bucket/clips).
        output: folder or fsspec address for the results.
        address: of a Ray cluster that this machine is in, auto or HOST:PORT; default: Ray is started on this machine.
        workers: CPUs that Ray uses where it is started here; default: all.
        cpus: of a clip.
        gpus: of a clip; 0.25 lets four clips share one.
        work: folder for unfinished work on every node; one that all nodes see lets long clips be spread. Default:
            the output, or each node's folder for temporary files if the output is an address.
        work_quota: gigabytes that unfinished work may fill in the work area at a time.
        time_limit: minutes after which a clip is ended and set aside.
        spread_from: minutes of one worker, by the forecast, from which a clip is spread over several.
        spread_over: workers of such a clip, at most.
        state: folder of the ledger; default: the output, or NAME-DIGITS.fleet here if that is an address.
        retry: try again what was set aside.
        restart: forget what was done, and begin anew.
        overwrite: replace results of other settings.
        preset: how many sharp frames help each frame.
        strength: how much of the restoration is blended in: 0 is the clip as it came, 1 all of it.
        quality: of the coding, 0 to 100. Default: 90, or what keeps the result about as large as its source.
        codec: of the results; auto keeps the source's where the container can hold it.
        restore: auto, blurry or all, as for deblur.
        backbone: the network; default: the one that the weights are of, else lite.
        weights: weights to restore with; every node must see the file.
        flow: the optical flow that aligns frames.
        flow_weights: weights of the flow network; every node must see the file.
        adapt: before restoring, learn on each clip.
        seed: same seed, same frames (on a CPU).
        device: auto, cpu, cuda or cuda:N, on the nodes.
        strip_location: leave out of the results what tells where the clips were taken.
        fps: frames per second of folders of images.
        as_json: print the summary as JSON.
        progress: auto, lines, none, or json: one object a line on stderr.
        quiet: say nothing but errors.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.cli.deblur import started
    from selfhvd.cli.fleet_words import FleetWords
    from selfhvd.cli.signals import stopping
    from selfhvd.fleet.run import FleetPlan, run_fleet
    from selfhvd.fleet.storage import shown
    from selfhvd.run.options import RunOptions
    from selfhvd.run.strength import check_strength

    if not source:
        raise UsageError("Give clips to deblur: selfhvd fleet CLIPS -o OUT.")
    check_strength(strength)
    config = started(preset, backbone, weights, adapt, False)
    config = replace(config, flow=flow, flow_weights=flow_weights, seed=seed, device=device)
    if restore is not None:
        config = replace(config, restore=replace(config.restore, which=restore))
    options = RunOptions(
        strength=strength,
        quality=quality,
        codec=codec,
        overwrite=overwrite,
        strip_location=strip_location,
        fps=fps,
    )
    plan = FleetPlan(
        address=address,
        workers=workers,
        cpus=cpus,
        gpus=gpus,
        work=work,
        quota=None if work_quota is None else int(work_quota * 1e9),
        time_limit=60 * time_limit,
        spread_from=60 * spread_from,
        spread_over=spread_over,
        state=state,
        retry=retry,
        restart=restart,
    )
    words = FleetWords(progress, quiet or (as_json and progress != "json"))
    unfinished = f"stopped; run the same command again to go on ({shown(output)})."
    with stopping(unfinished, grace=None) as stop:
        summary = run_fleet(
            source,
            output,
            config,
            options,
            plan,
            on_state=words.state,
            on_trouble=words.trouble,
            on_note=words.note,
            stop=stop,
        )
    _print(summary, shown(output), as_json)
    if summary.aside:
        raise PartialError(f"{len(summary.aside)} of {summary.tally.clips} clips could not be deblurred.")


@app.command
def status(output: str, *, state: Path | None = None, as_json: AsJson = False) -> None:
    """Say how far a fleet is, from another terminal of a machine that sees its ledger.

    Args:
        output: of the fleet.
        state: folder of the ledger, if the fleet was given one.
        as_json: print it as JSON.
    """
    from selfhvd.cli.fleet_words import in_one_line
    from selfhvd.fleet.ledger import open_ledger
    from selfhvd.fleet.state_folder import ledger_path
    from selfhvd.fleet.storage import shown
    from selfhvd.fleet.summary import summary_of
    from selfhvd.forecast.words import rough

    with closing(open_ledger(ledger_path(output, state))) as ledger:
        summary, said = summary_of(ledger), ledger.status()
    if as_json:
        out(json.dumps({**summary.facts(), "driver": said}, indent=2))
        return
    _print(summary, shown(output), False)
    if said is not None and summary.tally.left:
        out(f"{in_one_line(said)}; a driver said so {rough(max(0.0, time.time() - said['at']))} ago")


def _print(summary: "Summary", output: str, as_json: bool) -> None:
    if as_json:
        out(json.dumps(summary.facts(), indent=2))
        return
    tally = summary.tally
    table = Table(title=f"{tally.done} of {tally.clips} clips done, {tally.aside} set aside: {output}")
    for name in ("node", "clips", "hours at work", "seconds a clip"):
        table.add_column(name, justify="left" if name == "node" else "right")
    for name, (clips, seconds) in summary.nodes.items():
        table.add_row(name or "(done before)", str(clips), f"{seconds / 3600:.2f}", f"{seconds / max(1, clips):.1f}")
    Console().print(table)
    for aside in summary.aside[:_SHOWN]:
        out(f"set aside: {aside.source}: {aside.reason}")
    if len(summary.aside) > _SHOWN:
        out(f"... and {len(summary.aside) - _SHOWN} more: selfhvd fleet status {output} --json")
