"""Manifest: everything that decides the frames of a run, so that another one is not gone on with by mistake."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import cast

from selfhvd.errors import InputError
from selfhvd.method.perceptual import vgg_path
from selfhvd.report.record import plain
from selfhvd.run.deblurrer import Deblurrer
from selfhvd.run.fingerprint import fingerprint
from selfhvd.system.versions import versions
from selfhvd.video.part import Part
from selfhvd.video.read.images import list_images

Facts = Mapping[str, str]
"""What it is, to its value as text."""


def facts_of(source: Path, deblurrer: Deblurrer, rate: Fraction | None = None, part: Part | None = None) -> Facts:
    """The input, the settings, the weights, the kind of device and the versions of what computes.

    `rate`: frames per second of a folder of images. `part`: of the input, None for all of it.

    Raises:
        InputError: the input cannot be read.
    """
    facts = {f"the input's {name}": value for name, value in _input(source).items()}
    facts |= {"the input's frame rate": str(rate)} if rate is not None else {}
    facts |= {"the input's part": str(part)} if part is not None else {}
    settings = cast("dict[str, object]", plain(asdict(deblurrer.config)))
    facts |= {name: value for name, value in _flat(settings) if name not in _TOLD_OTHERWISE}
    facts |= {
        "the device": deblurrer.device.type,
        "the network's weights": _weights(deblurrer),
        "the flow": f"{deblurrer.predictor.name} {_file(deblurrer.config.flow_weights)}",
        "the perceptual loss": "on" if vgg_path().is_file() else "off",
    }
    return facts | {f"the version of {name}": version for name, version in versions().items()}


def stamp(facts: Facts, strength: float = 1.0) -> str:
    """Tool, version and a hash of everything but the input, for the result's container.

    A strength of 1 is not told: the frames are then those of the job itself.
    """
    settings = sorted((name, value) for name, value in facts.items() if not name.startswith("the input's"))
    settings += [("strength", json.dumps(float(strength)))] if strength != 1 else []
    return f"selfhvd {versions()['selfhvd']}, settings {hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]}"


_TOLD_OTHERWISE = ("device", "weights", "flow", "flow_weights")
"""Settings that name what is looked at itself."""


def changes(before: Facts, now: Facts) -> list[str]:
    """What differs, in words; short values are told."""
    named = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    return [_in_words(name, before.get(name, "none"), now.get(name, "none")) for name in named]


def _in_words(name: str, before: str, now: str) -> str:
    return f"{name} (was {before}, is {now})" if len(before) + len(now) < 60 else name


def _input(source: Path) -> dict[str, str]:
    try:
        files = list_images(source) if source.is_dir() else [source]
        times = [path.stat().st_mtime_ns for path in files]
    except OSError as error:
        raise InputError(f"{source} cannot be read ({error.strerror}).") from error
    return {"content": fingerprint(source), "time of change": hashlib.sha256(repr(times).encode()).hexdigest()}


def _weights(deblurrer: Deblurrer) -> str:
    digest = hashlib.sha256()
    for name, value in deblurrer.network.state_dict().items():
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _file(path: Path | None) -> str:
    """A hash of its content; of what cannot be read, its name: whoever needs it has complained already."""
    try:
        return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return str(path)


def _flat(table: Mapping[str, object], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(cast("Mapping[str, object]", value), f"{before}{name}.")
        else:
            yield before + name, json.dumps(value)
