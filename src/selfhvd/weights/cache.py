"""Where fetched weights lie: $SELFHVD_CACHE, or a folder of their own in the user's cache."""

import os
import sys
from pathlib import Path

from selfhvd.weights.known import CHECKPOINTS, known


def cache_folder() -> Path:
    """The folder of fetched weights, which may not exist yet."""
    if own := os.environ.get("SELFHVD_CACHE"):
        return Path(own)
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "selfhvd" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "selfhvd"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "selfhvd"


def cached(name: str) -> Path | None:
    """The converted file of a known checkpoint, None if it was not fetched.

    Raises:
        UsageError: no checkpoint of that name is known.
    """
    path = cache_folder() / known(name).filename
    return path if path.is_file() else None


def at_hand(network: str) -> Path | None:
    """The first fetched file of a network, in the order of `CHECKPOINTS`; None if there is none."""
    found = (cached(checkpoint.name) for checkpoint in CHECKPOINTS if checkpoint.network == network)
    return next((path for path in found if path is not None), None)
