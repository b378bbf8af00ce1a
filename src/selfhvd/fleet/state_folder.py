"""Where the ledger of an output lies."""

from pathlib import Path

from selfhvd.fleet.storage import digits_of, is_address, tidy

_NAME = "fleet.sqlite"


def ledger_path(output: str, state: Path | None) -> Path:
    """In the folder `state`; without one in the output, or, of an address, in a folder
    where the command runs whose name tells it from those of other addresses: `NAME-DIGITS.fleet`."""
    if state is not None:
        return state / _NAME
    output = tidy(output)
    if is_address(output):
        return Path(f"{output.rpartition('/')[2]}-{digits_of(output)}.fleet") / _NAME
    return Path(output) / _NAME
