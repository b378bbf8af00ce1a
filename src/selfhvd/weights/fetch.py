"""Known checkpoints brought into the cache, ready to use."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from selfhvd.errors import OutputError, UsageError, WeightsError
from selfhvd.system.lock import locked
from selfhvd.weights.cache import cache_folder, cached
from selfhvd.weights.download import download
from selfhvd.weights.known import Checkpoint, known

OnFetch = Callable[[str, int, int], None]
"""Told the step (`download`, `convert` or `wait`), how far it is, and how far it goes (0 = not known)."""

_PATIENCE = 1800.0
"""Seconds to wait for another process that fetches the same."""


def fetch(
    name: str,
    *,
    accept_license: bool = False,
    again: bool = False,
    on_progress: OnFetch = lambda step, done, total: None,
    patience: float = _PATIENCE,
) -> Path:
    """Download a known checkpoint, check its hash, convert it, and keep the result in the cache.

    Args:
        name: one of `CHECKPOINTS`.
        accept_license: the person has read and accepts a licence that forbids commercial use.
        again: fetch it even if it is there.
        on_progress: told how far it is.
        patience: seconds to wait for another process that fetches the same.

    Returns:
        The converted file.

    Raises:
        UsageError: the name is not known, or a licence must be accepted first.
        WeightsError: it cannot be fetched by a program, its hash is wrong, or it is not what it should be.
        OutputError: the cache cannot be written.
    """
    checkpoint = known(name)
    if checkpoint.url is None:
        raise WeightsError(f"A program cannot fetch {name}: {checkpoint.by_hand}.")
    if checkpoint.non_commercial and not accept_license:
        raise UsageError(
            f"The weights {name} are under {checkpoint.licence}, for non-commercial use only;"
            " if you accept that, say so with --accept-license."
        )
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made ({error.strerror}); set SELFHVD_CACHE to another folder."
        ) from error
    lock = folder / f"{name}.lock"
    busy = WeightsError(f"Another selfhvd still holds {lock} after {patience:.0f} s; try again when it is done.")
    with locked(lock, busy, patience, lambda: on_progress("wait", 0, 0)):
        # Whoever waited finds the file.
        return (None if again else cached(name)) or _brought(checkpoint, checkpoint.url, folder, on_progress)


def _brought(checkpoint: Checkpoint, url: str, folder: Path, on_progress: OnFetch) -> Path:
    official = folder / f"{checkpoint.name}-{Path(urlsplit(url).path).name}"
    target = folder / checkpoint.filename
    found = download(
        url, official, sha256=checkpoint.sha256, on_bytes=lambda done, total: on_progress("download", done, total)
    )
    from selfhvd.weights.conversion import convert  # with torch, which takes seconds

    on_progress("convert", 0, 1)
    notes = {
        "checkpoint": checkpoint.name,
        "source": url,
        "source_sha256": found,
        "licence": checkpoint.licence,
        "trained_on": checkpoint.trained_on,
    }
    try:
        convert(
            official,
            target,
            network=checkpoint.network,
            options=dict(checkpoint.options),
            notes=notes,
            overwrite=True,
        )
    finally:
        official.unlink(missing_ok=True)
    on_progress("convert", 1, 1)
    return target
