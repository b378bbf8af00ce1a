"""Where the ledger of an output lies."""

from pathlib import Path

from selfhvd.fleet.storage import as_path, is_address

_NAME = "fleet.sqlite"


def ledger_path(output: str, state: Path | None) -> Path:
    """In the folder `state`; without one in the output, or, of an address, in `NAME.fleet` where the command runs."""
    if state is not None:
        return state / _NAME
    if is_address(output):
        return Path(f"{output.rstrip('/').rpartition('/')[2]}.fleet") / _NAME
    return as_path(output) / _NAME
