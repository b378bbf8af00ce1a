"""A foreign checkpoint opened in a process of its own, and what that process says told in a sentence."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from selfhvd.errors import WeightsError
from selfhvd.weights.file import TABLES, read_tensors
from selfhvd.weights.header import read_header, shown
from selfhvd.weights.kinds import other_kind

Told = Mapping[str, Any]
"""What the process says of a file; see `selfhvd.weights.unpickle`."""

_SECONDS = 300
"""Patience with a file that is being opened."""
_ROOM = 2**30
"""Bytes of memory for opening a file, beside four times its size."""
_KEPT = ("PATH", "HOME", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""The only variables of the environment that the process which opens a file gets."""


def opened(source: Path, work: Path, raw: bool) -> tuple[dict[str, Tensor], Told]:
    """The tensors of a checkpoint under the names it gives them, and what was said of the others in it.

    Args:
        source: the file.
        work: a folder for what the process writes.
        raw: not the averaged weights, where there are others.

    Raises:
        WeightsError: the file is hostile, damaged, or of another kind.
    """
    if kind := other_kind(source):
        raise WeightsError(f"{source} is {kind}.")
    with source.open("rb") as file:
        start = file.read(9)
    if source.suffix == ".safetensors" or start[8:] == b"{":
        header = read_header(source)
        if header.texts.keys() & TABLES.keys():
            raise WeightsError(f"{source} is a weights file of selfhvd already; use it as it is.")
        return read_tensors(source), {}
    told = _unpickle(source, work / "tensors.safetensors", raw)
    return read_tensors(work / "tensors.safetensors"), told


def _unpickle(source: Path, target: Path, raw: bool) -> Told:
    """Let a process of its own write the tensors of a PyTorch file to `target`; see `selfhvd.weights.unpickle`."""
    room = 4 * source.stat().st_size + _ROOM
    script = Path(__file__).with_name("unpickle.py")
    which = "raw" if raw else "averaged"
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(script), str(source.resolve()), str(target.resolve()), str(room), which],
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
    return told


def _refusal(source: Path, fault: str, told: Told, code: int) -> str:
    if fault == "unsafe" and any(name.startswith("torch.nn.modules.") for name in told["asks"]):
        return (
            f"{source} is refused: it is a whole network kept as a program's object ({shown(told['asks'][0])}), which"
            " would have to be run; save its state_dict() instead."
        )
    if fault == "unsafe":
        asks = ", ".join(shown(name) for name in told["asks"]) or "something"
        return (
            f"{source} is refused: it asks for {asks}, which no weights need, and nothing of it was run;"
            " take weights from their authors' own page only."
        )
    if fault == "memory":
        return f"{source} is refused: it claims more numbers than a file of its size holds; fetch it again."
    if fault == "nothing":
        return f"{source} was not converted: {shown(told['told'], 200)}."
    if fault == "damaged":
        return f"{source} is not a PyTorch file that can be read ({shown(told['told'])}); fetch it again."
    return f"{source} is refused: the process that opened it ended without an answer (code {code}); fetch it again."
