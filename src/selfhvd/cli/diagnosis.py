"""Doctor: what is installed here, and whether the default can run."""

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import psutil
import torch
from av.error import FFmpegError

from selfhvd.backbones import BACKBONES
from selfhvd.errors import DeviceError, OutputError, SelfHVDError
from selfhvd.system.device import pick_device
from selfhvd.system.versions import versions
from selfhvd.video.write import codecs
from selfhvd.weights import BASE_WEIGHTS, load_weights
from selfhvd.weights.cache import cache_folder, cached
from selfhvd.weights.known import CHECKPOINTS

ENCODERS = (*codecs.ENCODERS.values(), "aac")
"""Of FFmpeg, that results are written with; the first is needed by the default."""
EXTRAS = {
    "train": ("lightning_fabric", "tomli_w"),
    "cluster": ("ray", "fsspec", "s3fs"),
    "flow-zoo": ("ptlflow",),
    "tensorboard": ("tensorboard",),
    "lpips": ("lpips",),
    "iqa": ("pyiqa",),
}
"""Optional extra to the packages it brings."""
LEAST_MEMORY = 1_500_000_000
"""Bytes; the default takes about 1 GB for a small clip."""


@dataclass(frozen=True)
class Disk:
    """A folder and the room in it."""

    folder: str
    free: int
    """Bytes; 0 where the folder cannot be looked at."""
    writable: bool


@dataclass(frozen=True)
class Diagnosis:
    """What was found."""

    python: str
    system: str
    versions: dict[str, str]
    devices: tuple[str, ...]
    """The first is what `auto` takes."""
    cores: int
    """That this process may use."""
    threads: int
    """That torch computes with."""
    memory_total: int
    """Bytes."""
    memory_free: int
    cache: Disk
    """Of fetched weights."""
    temporary: Disk
    """Where `inspect` decodes to; `deblur` works beside its result."""
    libraries: dict[str, str]
    """FFmpeg's, in PyAV."""
    encoders: dict[str, bool]
    weights: dict[str, str]
    """Network or checkpoint to file, of those that are at hand."""
    networks: tuple[str, ...]
    extras: dict[str, bool]
    faults: tuple[tuple[str, int], ...]
    """Sentences that say why the default cannot run, each with its exit code; empty where it can."""


def diagnose() -> Diagnosis:
    """Look around; nothing is written but a file of a few bytes that goes at once."""
    memory = psutil.virtual_memory()
    temporary = _disk(Path(tempfile.gettempdir()))
    encoders = {name: name in av.codecs_available and _encodes(name) for name in ENCODERS}
    return Diagnosis(
        python=sys.version.split()[0],
        system=platform.platform(),
        versions=versions(),
        devices=_devices(),
        cores=_cores(),
        threads=torch.get_num_threads(),
        memory_total=memory.total,
        memory_free=memory.available,
        cache=_disk(cache_folder()),
        temporary=temporary,
        libraries={name: ".".join(map(str, number)) for name, number in av.library_versions.items()},
        encoders=encoders,
        weights={"lite": str(BASE_WEIGHTS), **_fetched()},
        networks=tuple(BACKBONES),
        extras={extra: all(map(importlib.util.find_spec, packages)) for extra, packages in EXTRAS.items()},
        faults=tuple(_faults(memory.available, encoders, temporary)),
    )


def _faults(free: int, encoders: dict[str, bool], temporary: Disk) -> list[tuple[str, int]]:
    """What stands in the way of `selfhvd clip.mp4`."""
    found: list[tuple[str, int]] = []
    try:
        network = load_weights(BASE_WEIGHTS, "lite")
        device = pick_device("auto")
        network.to(device)
        with torch.inference_mode():
            float(network(torch.rand(1, 1, 3, 32, 32, device=device)).sum())
    except SelfHVDError as error:
        found.append((str(error), error.exit_code))
    except RuntimeError as error:
        told = (str(error).splitlines() or [""])[0]
        found.append((f"The device does not compute ({told}); try --device cpu.", DeviceError.exit_code))
    if free < LEAST_MEMORY:
        sentence = f"Only {free / 1e9:.1f} GB of memory are free; the default wants {LEAST_MEMORY / 1e9:.1f} GB."
        found.append((sentence, DeviceError.exit_code))
    if not encoders[ENCODERS[0]]:
        found.append((f"FFmpeg in PyAV cannot write {ENCODERS[0]}; install PyAV anew.", OutputError.exit_code))
    if not temporary.writable:
        found.append((f"{temporary.folder} cannot be written; set TMPDIR.", OutputError.exit_code))
    return found


def _devices() -> tuple[str, ...]:
    """CUDA devices by name, MPS, the CPU; `auto` first."""
    found = [f"cuda:{n} ({torch.cuda.get_device_name(n)})" for n in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return (*found, "cpu")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _encodes(name: str) -> bool:
    try:
        av.Codec(name, "w")
    except (ValueError, FFmpegError):
        return False
    return True


def _fetched() -> dict[str, str]:
    places = {checkpoint.name: cached(checkpoint.name) for checkpoint in CHECKPOINTS}
    return {name: str(path) for name, path in places.items() if path is not None}


def _disk(folder: Path) -> Disk:
    """The folder, or where it would be made."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        free = shutil.disk_usage(there).free
        with tempfile.TemporaryFile(dir=there):
            writable = True
    except OSError:
        return Disk(str(folder), 0, False)
    return Disk(str(folder), free, writable)


def as_facts(diagnosis: Diagnosis) -> dict[str, Any]:
    """As JSON can hold it, with `runs` and the exit code that the command ends with."""
    plain = {**vars(diagnosis), "cache": vars(diagnosis.cache), "temporary": vars(diagnosis.temporary)}
    code = diagnosis.faults[0][1] if diagnosis.faults else 0
    return {"runs": code == 0, "exit_code": code, **plain, "faults": [sentence for sentence, _ in diagnosis.faults]}
