"""`selfhvd weights`: see, fetch, convert and look into weights files."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Column, Table

from selfhvd.errors import UsageError

if TYPE_CHECKING:
    from selfhvd.weights.facts import Facts
    from selfhvd.weights.known import Checkpoint

app = App(
    name="weights",
    help="""See, fetch and convert the weights of published networks.

    For example:

    `selfhvd weights list` shows what there is, whose it is, and what is here already.

    `selfhvd weights fetch basicvsrpp-gopro` downloads and converts; `selfhvd clip.mp4 --backbone basicvsrpp` uses it.

    `selfhvd weights convert official.pth mine.safetensors` converts a file you have; `--weights mine.safetensors` uses
    it, and needs no network.

    Exit codes: 0 good, 2 usage or a licence not accepted, 4 output or disk, 6 weights missing, damaged, hostile or not
    to be had.""",
)

Quiet = Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")]
Verbose = Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")]
AsJson = Annotated[bool, Parameter(name="--json", negative="")]


@app.command(name="list")
def show_known(*, as_json: AsJson = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Show the published weights that are known here: licence, training data, and whether they were fetched.

    Args:
        as_json: print the facts as JSON, with addresses and hashes.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.weights.cache import cached
    from selfhvd.weights.known import CHECKPOINTS

    places = {checkpoint.name: cached(checkpoint.name) for checkpoint in CHECKPOINTS}
    if as_json:
        rows = [{**dataclasses.asdict(c), "cached": _text(places[c.name])} for c in CHECKPOINTS]
        _out(json.dumps(rows, indent=2))
        return
    table = Table("name", "network", "trained on", Column("licence", min_width=16), "here", box=None, pad_edge=False)
    for checkpoint in CHECKPOINTS:
        table.add_row(*_row(checkpoint, places[checkpoint.name]))
    Console().print(table)
    if not quiet:
        _out("")
        for checkpoint in CHECKPOINTS:
            if checkpoint.url is None:
                _out(f"{checkpoint.name}: {checkpoint.by_hand}.")
        _out("\nWeights also carry the terms of the data they were trained on. Nothing comes with selfhvd but `lite`;")
        _out("`selfhvd weights fetch NAME` downloads from the publisher, `--json` shows from where.")
        if not all(checkpoint.tried for checkpoint in CHECKPOINTS):
            _out("Addresses and hashes are the publishers'; we have not tried them against the real files.")


@app.command
def fetch(
    name: str,
    *,
    accept_license: Annotated[bool, Parameter(name=["--accept-license", "--accept-licence"], negative="")] = False,
    again: Annotated[bool, Parameter(negative="")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Download published weights, check their hash, convert them and keep the result; prints where it is.

    The cache is the folder SELFHVD_CACHE, else a folder of selfhvd in your user cache. A download that was cut off goes
    on where it stopped.

    Args:
        name: one of `selfhvd weights list`.
        accept_license: you accept a licence that forbids commercial use.
        again: fetch it even if it is here.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.cli.progress import shown_progress
    from selfhvd.weights.fetch import fetch as run
    from selfhvd.weights.known import known

    with shown_progress(quiet) as progress:

        def tell(step: str, done: int, total: int) -> None:
            if step == "wait":
                _say("Another selfhvd is fetching this; waiting for it.", quiet)
            elif step == "download":
                progress("download, MB", done // 2**20, total // 2**20)
            else:
                progress(step, done, total)

        try:
            path = run(name, accept_license=accept_license, again=again, on_progress=tell)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                "interrupted; what came is kept, and the same command goes on from there."
            ) from None
    if known(name).sha256 is None:
        from selfhvd.weights.facts import read_facts

        found = read_facts(path).notes.get("source_sha256", "not recorded")
        _say(f"warning: no hash is published for {name}; what came has the SHA-256 {found}.", quiet)
    _out(str(path))


@app.command
def convert(
    source: Path,
    target: Path,
    *,
    network: Annotated[str | None, Parameter(name=["--network", "--backbone"])] = None,
    option: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    raw: Annotated[bool, Parameter(negative="")] = False,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make a weights file of selfhvd out of an official checkpoint; prints its name.

    The checkpoint is opened in a process of its own, where only numbers and plain values are taken from it; objects
    beside them (options, paths, numbers of numpy) are passed over, and a file that asks for more is refused. Where it
    has averaged weights (EMA), those are taken, and it is said.

    Args:
        source: a PyTorch file (.pth, .pt, .tar, .ckpt), or safetensors with official names.
        target: the .safetensors file to write.
        network: the network it is of, where its names and shapes do not tell.
        option: a setting that the file cannot tell, as `--option colour=rgb`; may be given several times.
        raw: where a file has averaged weights (EMA) and others, take the others.
        overwrite: replace an existing target.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.weights.conversion import convert as run

    options = dict(map(_setting, option))

    def tell(words: str) -> None:
        _say(words, quiet)

    found = run(source, target, network=network, options=options, overwrite=overwrite, raw=raw, tell=tell)
    _say(f"{source} holds {found}.", quiet)
    _out(str(target))


@app.command
def info(path: Path, *, as_json: AsJson = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Load a weights file and show what it is: network, configuration, size, licence, where it came from, its hash.

    Args:
        path: a weights file of selfhvd, or the name of fetched weights.
        as_json: print the facts as JSON.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.weights.cache import cached
    from selfhvd.weights.facts import read_facts
    from selfhvd.weights.known import CHECKPOINTS

    named = cached(str(path)) if str(path) in {c.name for c in CHECKPOINTS} and not path.exists() else None
    facts = read_facts(named or path)
    if as_json:
        _out(json.dumps({**dataclasses.asdict(facts), "path": str(facts.path)}, indent=2))
    else:
        Console().print(_facts_table(facts))


def _row(checkpoint: "Checkpoint", path: Path | None) -> tuple[str, ...]:
    licence = checkpoint.licence + (" (non-commercial)" if checkpoint.non_commercial else "")
    if path is not None:
        here = "yes"
    elif checkpoint.url is not None:
        here = "fetch --accept-license" if checkpoint.non_commercial else "fetch"
    else:
        here = "see below"
    return checkpoint.name, checkpoint.network, checkpoint.trained_on, licence, here


def _facts_table(facts: "Facts") -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("file", str(facts.path))
    table.add_row("network", f"{facts.network} ({facts.kind})")
    table.add_row("configuration", ", ".join(f"{name} {value}" for name, value in facts.settings.items()))
    table.add_row("parameters", f"{facts.parameters:,}")
    table.add_row("size", f"{facts.bytes / 2**20:.1f} MB")
    table.add_row("licence", facts.licence or "not stated in the file")
    for name, text in facts.notes.items():
        table.add_row(name.replace("_", " "), text)
    table.add_row("SHA-256", facts.sha256)
    return table


def _setting(words: str) -> tuple[str, object]:
    """`colour=rgb` as name and value; numbers, lists and the like are written as in JSON."""
    name, equals, value = words.partition("=")
    if not (name and equals):
        raise UsageError(f"--option {words} is no setting; write NAME=VALUE, as --option colour=rgb.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _out(text: str) -> None:
    sys.stdout.write(text + "\n")


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        sys.stderr.write(text + "\n")
