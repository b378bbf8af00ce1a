"""`selfhvd doctor`: what is here, and whether the default can run."""

import json
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from selfhvd.cli.words import AsJson, Quiet, Verbose, out
from selfhvd.errors import DeviceError

if TYPE_CHECKING:
    from selfhvd.cli.diagnosis import Diagnosis, Disk


def doctor(*, as_json: AsJson = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Show what is installed: device, memory, disk, FFmpeg, weights, extras; say whether the default can run.

    The exit code is 0 if it can, 5 if the device or the memory, 6 if the weights, 4 if FFmpeg or the disk stand in the
    way.

    Args:
        as_json: print the facts as JSON.
        quiet: print nothing but what is wrong.
        verbose: say more, and show tracebacks.
    """
    try:
        from selfhvd.cli.diagnosis import as_facts, diagnose
    except (ImportError, OSError) as error:
        raise DeviceError(f"A package that selfhvd needs cannot be loaded ({error}); install selfhvd anew.") from error

    found = diagnose()
    if as_json:
        out(json.dumps(as_facts(found), indent=2))
    elif not quiet:
        Console().print(_table(found))
        if not found.faults:
            out("The default can run.")
    for sentence, _ in found.faults:
        sys.stderr.write(f"selfhvd: {sentence}\n")
    if found.faults:
        sys.exit(found.faults[0][1])


def _table(found: "Diagnosis") -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    rows = {
        "selfhvd": ", ".join(f"{name} {number}" for name, number in found.versions.items()),
        "system": f"Python {found.python}, {found.system}",
        "devices": ", ".join(found.devices) + f"; auto takes {found.devices[0].split()[0]}",
        "cores": f"{found.cores}, torch computes with {found.threads} threads",
        "memory": f"{_giga(found.memory_free)} free of {_giga(found.memory_total)}",
        "cache of weights": _folder(found.cache),
        "temporary files": _folder(found.temporary),
        "FFmpeg": ", ".join(f"{name} {number}" for name, number in found.libraries.items()),
        "encoders": _yes_no(found.encoders),
        "weights at hand": ", ".join(found.weights),
        "networks": ", ".join(found.networks),
        "extras": _yes_no(found.extras),
    }
    for name, text in rows.items():
        table.add_row(name, text)
    return table


def _folder(disk: "Disk") -> str:
    return f"{disk.folder}, {_giga(disk.free)} free" if disk.writable else f"{disk.folder}, which cannot be written"


def _yes_no(things: dict[str, bool]) -> str:
    return ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in things.items())


def _giga(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
