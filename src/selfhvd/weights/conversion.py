"""Official checkpoints made into weights files of ours."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from torch import Tensor, nn

from selfhvd.errors import OutputError, UsageError, WeightsError
from selfhvd.weights.file import TABLES, read_tensors, save_weights
from selfhvd.weights.fit import MisfitError, Shapes, check_fit, outline, put
from selfhvd.weights.header import read_header, shown
from selfhvd.weights.layouts import layouts
from selfhvd.weights.settings import SettingError, configured

_SECONDS = 300
"""Patience with a file that is being opened."""
_ROOM = 2**30
"""Bytes of memory for opening a file, beside four times its size."""
_KEPT = ("PATH", "HOME", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""The only variables of the environment that the process which opens a file gets."""


@runtime_checkable
class _Network(Protocol):
    """What every class in the tables of networks can do."""

    def __call__(self, config: object, /) -> nn.Module: ...

    def recognised(self, shapes: Shapes, /) -> object | None: ...


@dataclass(frozen=True)
class Reading:
    """What a checkpoint turned out to be: a network, its configuration, and its tensors under the names used here."""

    network: str
    config: object
    build: _Network
    state: dict[str, Tensor]


def convert(
    source: Path,
    target: Path,
    *,
    network: str | None = None,
    options: Mapping[str, object] | None = None,
    notes: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> str:
    """Make a weights file of ours of an official checkpoint, which is opened in a process of its own.

    Args:
        source: a PyTorch file (.pth, .pt, .tar, .ckpt) or safetensors, with the names its authors gave its tensors.
        target: the file to write.
        network: the network it is known to be of; None = recognised by names and shapes.
        options: settings of the configuration that the file cannot tell, for example colour.
        notes: texts to keep in the file.
        overwrite: replace an existing target.

    Returns:
        The network's name.

    Raises:
        WeightsError: the file is hostile, damaged, or of no network known here.
        UsageError: the network or an option does not exist, or the target is the source.
        OutputError: the target exists or cannot be written.
    """
    _check_places(source, target, overwrite)
    try:
        with tempfile.TemporaryDirectory(prefix=".selfhvd-", dir=target.parent, ignore_cleanup_errors=True) as work:
            reading = _recognised(source, _opened(source, Path(work)), network)
            config = _with_options(reading, options or {})
            made = reading.build(config)
            put(reading.state, made)
            save_weights(target, made, reading.network, dict(notes or {}))
    except MisfitError as error:
        raise WeightsError(f"{source} was not converted: {error}; check that it is the file you mean.") from error
    except OSError as error:
        raise OutputError(
            f"Nothing can be written beside {target} ({error.strerror}); choose another folder."
        ) from error
    return reading.network


def _check_places(source: Path, target: Path, overwrite: bool) -> None:
    if not source.is_file():
        raise WeightsError(f"There is no file at {source}; check the path.")
    if not target.parent.is_dir():
        raise OutputError(f"The folder {target.parent} does not exist; make it first.")
    if target.exists() and target.samefile(source):
        raise UsageError(f"{target} is the input itself; give the output another name.")
    if target.is_dir() or (target.exists() and not overwrite):
        raise OutputError(f"{target} exists; give another name, or --overwrite to replace a file.")


def _opened(source: Path, work: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint under the names it gives them."""
    with source.open("rb") as file:
        start = file.read(9)
    if source.suffix == ".safetensors" or start[8:] == b"{":
        header = read_header(source)
        if header.texts.keys() & TABLES.keys():
            raise WeightsError(f"{source} is a weights file of selfhvd already; use it as it is.")
        return read_tensors(source)
    _unpickle(source, work / "tensors.safetensors")
    return read_tensors(work / "tensors.safetensors")


def _unpickle(source: Path, target: Path) -> None:
    """Let a process of its own write the tensors of a PyTorch file to `target`; see `selfhvd.weights.unpickle`."""
    room = 4 * source.stat().st_size + _ROOM
    script = Path(__file__).with_name("unpickle.py")
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(script), str(source.resolve()), str(target.resolve()), str(room)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={**kept, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        )
    except subprocess.TimeoutExpired:
        raise WeightsError(f"{source} is refused: opening it took more than {_SECONDS} s; fetch it again.") from None
    try:
        told = cast(dict[str, Any], json.loads(done.stdout)) if done.returncode == 0 else {"fault": "crash"}
    except ValueError:
        told = {"fault": "crash"}
    if fault := told.get("fault"):
        raise WeightsError(_refusal(source, fault, told, done.returncode))
    read_header(target)


def _refusal(source: Path, fault: str, told: Mapping[str, Any], code: int) -> str:
    if fault == "unsafe":
        asks = ", ".join(shown(name) for name in told["asks"]) or "something"
        return (
            f"{source} is refused: it asks for {asks}, which no weights need, and nothing of it was run;"
            " take weights from their authors' own page only."
        )
    if fault == "memory":
        return f"{source} is refused: it claims more numbers than a file of its size holds; fetch it again."
    if fault == "damaged":
        return f"{source} is not a PyTorch file that can be read ({shown(told['told'])}); fetch it again."
    return f"{source} is refused: the process that opened it ended without an answer (code {code}); fetch it again."


def _recognised(source: Path, state: dict[str, Tensor], name: str | None) -> Reading:
    """The one network whose checkpoint this is."""
    if name is not None and not any(name in table for table in TABLES.values()):
        raise UsageError(f"There is no network {name}; known are {', '.join(n for t in TABLES.values() for n in t)}.")
    found = [reading for reading in _readings(state) if name in (None, reading.network)]
    if not found and name is not None:
        return _taken_for(state, name)
    if not found:
        first = ", ".join(shown(key) for key in list(state)[:3]) or "no tensor"
        raise WeightsError(
            f"{source} is of no network known here ({len(state)} tensors, first {first});"
            " say with --network which it is, or use another file."
        )
    if len(found) > 1:
        names = " and ".join(reading.network for reading in found)
        raise WeightsError(f"{source} could be {names}; say with --network which it is.")
    return found[0]


def _readings(state: dict[str, Tensor]) -> Iterator[Reading]:
    """Every network that takes the checkpoint for one of its own, each once."""
    ways = [(way, {key: tuple(value.shape) for key, value in way.items()}) for way in layouts(state)]
    for name, network in ((name, entry[1]) for table in TABLES.values() for name, entry in table.items()):
        for way, shapes in ways:
            if (config := cast(_Network, network).recognised(shapes)) is not None:
                yield Reading(name, config, cast(_Network, network), way)
                break


def _taken_for(state: dict[str, Tensor], name: str) -> Reading:
    """A checkpoint that was not recognised, taken for the named network in its published size."""
    config_class, network = next(table[name] for table in TABLES.values() if name in table)
    return Reading(name, config_class(), cast(_Network, network), next(layouts(state)))


def _with_options(reading: Reading, options: Mapping[str, object]) -> object:
    """The configuration with a person's options in it, if the tensors still fit."""
    try:
        config = configured(reading.config, options)
    except SettingError as error:
        raise UsageError(f"That option does not suit {reading.network}: {error}.") from error
    shapes = {key: tuple(value.shape) for key, value in reading.state.items()}
    check_fit(shapes, outline(lambda: reading.build(config)))
    return config
