"""Where the ledger of an output lies."""

from pathlib import Path

from selfhvd.fleet.storage import digits_of, is_address, tidy

_NAME = "fleet.sqlite"


def ledger_path(output: str, state: Path | None) -> Path:
    """In the folder `state`; without one in the output.

    Without one, of an address, in `NAME-DIGITS.fleet` where the command runs; the digits tell it from other addresses.
    """
    if state is not None:
        return state / _NAME
    output = tidy(output)
    if is_address(output):
        return Path(f"{output.rpartition('/')[2]}-{digits_of(output)}.fleet") / _NAME
    return Path(output) / _NAME
