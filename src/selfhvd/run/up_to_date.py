"""Up to date: whether a clip's result is there already, made of the same clip by the same settings."""

from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from selfhvd.errors import InputError, OutputError
from selfhvd.report.record import plain, read_run
from selfhvd.run.config import DeblurConfig
from selfhvd.run.fingerprint import fingerprint
from selfhvd.video import Coding
from selfhvd.video.destination import check_length, reports_of
from selfhvd.video.part import Part

_NOT_OF_THE_FRAMES = ("device", "max_minutes")
"""Settings that say how a run goes about it, not what comes out; no minutes at all say that nothing is learned."""


def is_finished(
    source: Path,
    destination: Path,
    config: DeblurConfig,
    strength: float = 1.0,
    rate: Fraction | None = None,
    coding: Coding = Coding(),
    part: Part | None = None,
    preview: float | None = None,
) -> bool:
    """Whether there is nothing to do; by the record beside the result, without one by the files' times.

    `rate`: frames per second of a folder of images. `part`: of the clip, None for all of it, or for a `preview` of
    so many seconds.

    Raises:
        OutputError: there is a result, but of another clip or of other settings.
        InputError: the clip cannot be read.
    """
    check_length(destination)
    if not destination.exists() or (destination.is_dir() and not any(destination.iterdir())):
        return False
    _, record = reports_of(destination)
    try:
        run = read_run(record) if record.exists() else None
    except (InputError, OSError):
        run = None
    if run is None:
        return _is_newer(destination, source)
    check_same(run, source, destination, config, strength, rate, coding, part, preview)
    return True


def check_same(
    run: Mapping[str, Any],
    source: Path,
    destination: object,
    config: DeblurConfig,
    strength: float = 1.0,
    rate: Fraction | None = None,
    coding: Coding = Coding(),
    part: Part | None = None,
    preview: float | None = None,
) -> None:
    """`OutputError` unless a run's record is of this clip by these settings; `destination` is what is complained of."""
    if run.get("fingerprint") not in ("", None, fingerprint(source)):
        raise OutputError(f"{destination} was made of another clip than {source} is now; --overwrite makes it anew.")
    same = _frames_of(run.get("settings")) == _frames_of(plain(asdict(config.resolved())))
    paced = rate is None or run.get("fps") == str(rate)
    coded = (run.get("written_codec", "auto"), run.get("written_quality")) == (coding.codec, coding.quality)
    cut = run.get("part", "") == ("" if part is None else str(part))
    cut = cut if preview is None else run.get("preview") == preview
    if not (same and paced and coded and cut) or run.get("strength", 1.0) != strength:
        raise OutputError(f"{destination} was made with other settings; --overwrite makes it anew.")


def _is_newer(destination: Path, source: Path) -> bool:
    if destination.stat().st_mtime_ns >= source.stat().st_mtime_ns:
        return True
    raise OutputError(f"{destination} is older than {source}; --overwrite makes it anew.")


def _frames_of(settings: Any) -> Any:  # noqa: ANN401 - JSON
    """The settings that decide the frames."""
    if not isinstance(settings, dict):
        return settings
    kept = {name: value for name, value in settings.items() if name not in _NOT_OF_THE_FRAMES}
    return {**kept, "no minutes to learn": settings.get("max_minutes") == 0}
