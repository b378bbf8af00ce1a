"""The header of a safetensors file, read and checked before a single number of the file is believed.

The format: eight bytes with the header's length (little-endian), the header (JSON: name -> dtype, shape and byte
range, and texts under `__metadata__`), then the numbers, without gap or overlap to the end of the file.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from selfhvd.errors import WeightsError

LONGEST = 16 * 2**20
"""Bytes of a header; the largest network here needs a tenth of a megabyte."""

_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
"""Kinds of numbers a weights file may hold, and their size."""


@dataclass(frozen=True)
class Header:
    """What a safetensors file says it holds."""

    shapes: Mapping[str, tuple[int, ...]]
    kinds: Mapping[str, str]
    """Kind of number of each tensor: F32, I64, ..."""
    texts: Mapping[str, str]
    """The file's metadata."""


def read_header(path: Path) -> Header:
    """Read a header; no tensor is touched.

    Raises:
        WeightsError: the file is missing, or is not a whole, well-formed safetensors file.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weights file at {path}; check the path.")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(LONGEST, size - 8):
                raise WeightsError(_sentence(path, _wrong_length(path, length, size)))
            table = json.loads(file.read(length).decode(), object_pairs_hook=_once)
        return _checked(table, size - 8 - length)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        told = str(error) if isinstance(error, _FaultError) else "its header is not readable JSON"
        raise WeightsError(_sentence(path, told)) from error


class _FaultError(ValueError):
    """What is wrong with a header, in words."""


def shown(value: object, most: int = 80) -> str:
    """Something out of a foreign file, as it may stand in a sentence: short, on one line, nothing but plain marks."""
    text = value if isinstance(value, str) else repr(value)
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= most else text[: most - 3] + "..."


def _sentence(path: Path, fault: str) -> str:
    return f"{path} is not a weights file that can be used: {fault}; fetch or convert it again."


def _wrong_length(path: Path, length: int, size: int) -> str:
    with path.open("rb") as file:
        start = file.read(2)
    if start in (b"PK", b"\x80\x02"):
        return "it is a PyTorch file, which only `selfhvd weights convert` opens"
    if length <= LONGEST:
        return f"it is cut off, {size} bytes are left of at least {length + 8}"
    return f"its header claims {length} bytes (at most {LONGEST} are allowed)"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose names are all different."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _FaultError("its header names something twice")
    return found


def _checked(table: object, size: int) -> Header:
    """The header of a file with `size` bytes of numbers."""
    if not isinstance(table, dict):
        raise _FaultError("its header is no table")
    entries = cast(dict[str, Any], table)
    texts = entries.pop("__metadata__", {})
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in cast(dict[str, Any], texts).values()):
        raise _FaultError("its metadata are not texts")
    ranges = {name: _byte_range(name, entry) for name, entry in entries.items()}
    ordered = sorted(ranges.items(), key=lambda item: item[1])
    for (before, (_, end)), (after, (start, _)) in pairwise(ordered):
        if start != end:
            what = "overlap" if start < end else "leave a gap"
            names = f"{shown(before)} and {shown(after)}"
            where = f"one ends at byte {shown(end)}, the next starts at {shown(start)}"
            raise _FaultError(f"the tensors {names} {what} ({where})")
    first, last = (ordered[0][1][0], ordered[-1][1][1]) if ordered else (0, 0)
    if first != 0 or last != size:
        raise _FaultError(
            f"its tensors take the bytes {first} to {shown(last)}, but it holds {size} (cut off, or damaged)"
        )
    shapes = {name: tuple(cast(list[int], entry["shape"])) for name, entry in entries.items()}
    return Header(shapes, {name: entry["dtype"] for name, entry in entries.items()}, cast(dict[str, str], texts))


def _byte_range(name: str, entry: object) -> tuple[int, int]:
    """Start and end of a tensor, which must be as long as its shape and kind say."""
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= cast(dict[str, Any], entry).keys():
        raise _FaultError(f"the header's entry {shown(name)} says no kind, shape and place")
    fields = cast(dict[str, Any], entry)
    kind, shape, place = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(kind, str) or kind not in _BYTES:
        raise _FaultError(
            f"the tensor {shown(name)} holds numbers of the kind {shown(kind)}, which no network here uses"
        )
    if not _counts(shape) or not _counts(place) or len(place) != 2:
        raise _FaultError(f"the tensor {shown(name)} has the shape {shown(shape)} and the place {shown(place)}")
    start, end = place
    if end - start != math.prod(shape) * _BYTES[kind]:
        told = f"the tensor {shown(name)} of shape {shown(shape)} has {shown(end - start)} bytes"
        raise _FaultError(f"{told}, which is not its size in {kind}")
    return start, end


def _counts(values: object) -> bool:
    """Whether this is a short list of whole numbers from 0 up."""
    if not isinstance(values, list) or len(cast(list[Any], values)) > 16:
        return False
    return all(type(value) is int and value >= 0 for value in cast(list[Any], values))
