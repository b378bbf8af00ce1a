"""`run.json`: the facts of a run for machines."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from selfhvd.errors import InputError
from selfhvd.report.facts import RunFacts
from selfhvd.system.atomic import write_aside


def write_run(path: Path, facts: RunFacts) -> None:
    """Write `facts` as JSON, keys in the order of the fields; numbers that are not finite become null."""
    text = json.dumps(plain(facts), indent=2, ensure_ascii=False, allow_nan=False)
    # A file name that is no UTF-8 holds lone surrogates; written as \udcxx they are valid JSON and come back.
    write_aside(path, f"{text}\n".encode(errors="backslashreplace"))


def read_run(path: Path) -> dict[str, Any]:
    """What `write_run` wrote, as plain data."""
    try:
        run = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as the record of a run ({error}).") from error
    if not isinstance(run, dict):
        raise InputError(f"{path} is not the record of a run: it holds no JSON object.")
    return cast("dict[str, Any]", run)


def plain(value: object) -> object:
    """`value` as JSON can hold it: dataclasses as objects, paths and fractions as text."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value)
        return {str(key): plain(item) for key, item in items.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("list[object]", value)]
    return str(value)
