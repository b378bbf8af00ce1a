"""Official checkpoints made into weights files of ours."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from torch import Tensor, nn

from selfhvd.errors import OutputError, UsageError, WeightsError
from selfhvd.weights.file import TABLES, save_weights
from selfhvd.weights.fit import MisfitError, Shapes, check_fit, outline, put
from selfhvd.weights.header import shown
from selfhvd.weights.kinds import folder_kind
from selfhvd.weights.layouts import has_averaged, layouts
from selfhvd.weights.opening import Told, opened
from selfhvd.weights.settings import SettingError, configured


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
    averaged: bool
    """Whether these are averaged weights by their names, and others stand beside them."""


def _silent(words: str) -> None:
    """Say nothing."""


def convert(
    source: Path,
    target: Path,
    *,
    network: str | None = None,
    options: Mapping[str, object] | None = None,
    notes: Mapping[str, str] | None = None,
    overwrite: bool = False,
    raw: bool = False,
    tell: Callable[[str], None] = _silent,
) -> str:
    """Make a weights file of ours of an official checkpoint, which is opened in a process of its own.

    Args:
        source: a PyTorch file (.pth, .pt, .tar, .ckpt) or safetensors, with the names its authors gave its tensors.
        target: the file to write.
        network: the network it is known to be of; None = recognised by names and shapes.
        options: settings of the configuration that the file cannot tell, for example colour.
        notes: texts to keep in the file.
        overwrite: replace an existing target.
        raw: where a file has averaged weights (EMA) and others, take the others; else the averaged ones are taken.
        tell: told in a sentence what was chosen, and what was left.

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
            state, told = opened(source, Path(work), raw)
            reading = _recognised(source, state, network, raw)
            config = _with_options(reading, options or {})
            made = reading.build(config)
            put(reading.state, made)
            chosen = _chosen(told, reading, has_averaged(state), raw)
            save_weights(target, made, reading.network, {**(notes or {}), **({"chosen": chosen} if chosen else {})})
    except MisfitError as error:
        raise WeightsError(f"{source} was not converted: {error}; check that it is the file you mean.") from error
    except OSError as error:
        raise OutputError(
            f"Nothing can be written beside {target} ({error.strerror}); choose another folder."
        ) from error
    for words in filter(None, (chosen, _left(told))):
        tell(f"{source}: {words}.")
    return reading.network


def _chosen(told: Told, reading: Reading, within: bool, raw: bool) -> str | None:
    """Which of several weights were taken, if there was a choice; `within` = by the names of the tensors."""
    if "nameless" in told:
        return f"the raw weights were taken, since the averaged ones ({shown(told['nameless'])}) have no names"
    if within and not raw and not reading.averaged:
        return "the raw weights were taken, since the averaged ones beside them are of no network known here"
    if within or "taken" in told:
        taken, left = (f" ({shown(told[key])})" if key in told else "" for key in ("taken", "left"))
        if raw:
            return f"the raw weights{taken} were taken, not the averaged ones{left}"
        return f"the averaged weights{taken} were taken, not the raw ones{left}; --raw takes those"
    return None


def _left(told: Told) -> str | None:
    """What lay beside the weights and was not looked at."""
    if not (beside := [shown(name) for name in told.get("beside", ())]):
        return None
    more = f" and {len(beside) - 3} more" if len(beside) > 3 else ""
    names = f"{', '.join(beside[:3])}{more}"
    return f"objects beside the weights were passed over and nothing of them was run ({names})"


def _check_places(source: Path, target: Path, overwrite: bool) -> None:
    if source.is_dir():
        raise WeightsError(f"{source} is {folder_kind(source)}.")
    if not source.is_file():
        raise WeightsError(f"There is no file at {source}; check the path.")
    if not target.parent.is_dir():
        raise OutputError(f"The folder {target.parent} does not exist; make it first.")
    if target.exists() and target.samefile(source):
        raise UsageError(f"{target} is the input itself; give the output another name.")
    if target.is_dir() or (target.exists() and not overwrite):
        raise OutputError(f"{target} exists; give another name, or --overwrite to replace a file.")


def _recognised(source: Path, state: dict[str, Tensor], name: str | None, raw: bool) -> Reading:
    """The one network whose checkpoint this is."""
    if name is not None and not any(name in table for table in TABLES.values()):
        raise UsageError(f"There is no network {name}; known are {', '.join(n for t in TABLES.values() for n in t)}.")
    if raw and state and not next(layouts(state)):
        raise WeightsError(f"{source} was not converted: it holds averaged weights only; leave --raw out.")
    found = [reading for reading in _readings(state, raw) if name in (None, reading.network)]
    if not found and name is not None:
        return _taken_for(state, name, raw)
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


def _ways(state: dict[str, Tensor], raw: bool) -> Iterator[tuple[bool, dict[str, Tensor]]]:
    """The ways to read a checkpoint's names, and whether they lead to averaged weights beside others."""
    if has_averaged(state) and not raw:
        yield from ((True, way) for way in layouts(state, averaged=True))
    yield from ((False, way) for way in layouts(state))


def _readings(state: dict[str, Tensor], raw: bool) -> Iterator[Reading]:
    """Every network that takes the checkpoint for one of its own, each once."""
    ways = [(avg, way, {key: tuple(value.shape) for key, value in way.items()}) for avg, way in _ways(state, raw)]
    for name, network in ((name, entry[1]) for table in TABLES.values() for name, entry in table.items()):
        for averaged, way, shapes in ways:
            if (config := cast(_Network, network).recognised(shapes)) is not None:
                yield Reading(name, config, cast(_Network, network), way, averaged)
                break


def _taken_for(state: dict[str, Tensor], name: str, raw: bool) -> Reading:
    """A checkpoint that was not recognised, taken for the named network in its published size."""
    config_class, network = next(table[name] for table in TABLES.values() if name in table)
    averaged, way = next(_ways(state, raw))
    return Reading(name, config_class(), cast(_Network, network), way, averaged)


def _with_options(reading: Reading, options: Mapping[str, object]) -> object:
    """The configuration with a person's options in it, if the tensors still fit."""
    try:
        config = configured(reading.config, options)
    except SettingError as error:
        raise UsageError(f"That option does not suit {reading.network}: {error}.") from error
    shapes = {key: tuple(value.shape) for key, value in reading.state.items()}
    check_fit(shapes, outline(lambda: reading.build(config)))
    return config
