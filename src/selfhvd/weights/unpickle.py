"""A process of its own in which a foreign PyTorch file is opened: it imports nothing of selfhvd and hands back numbers.

    python -P unpickle.py IN.pth OUT.safetensors ROOM averaged|raw

Only PyTorch's restricted unpickler is used: it knows tensors, plain Python values and nothing else. What training
often leaves beside weights (numbers of numpy, options, paths, times, objects of other people's classes) gets inert
stand-ins by name: nothing of it is imported, called or kept. At anything else a file asks for the unpickler stops,
before calling it. Should it have a fault all the same, the damage is one process with limited memory, time and file
size and no environment worth reading. ROOM is the memory in bytes for the file's content. One line of JSON on the
standard output says what came of it.
"""

import io
import json
import pickle
import pickletools
import re
import struct
import sys
import warnings
import zipfile
import zlib
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING  # what Python 2 called things
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

_CONTAINERS = (
    *("state_dict", "params", "model_state_dict", "model_state", "model"),
    *("net_g", "netG", "generator", "network", "net", "module", "weights"),
)
"""What training code puts around tensors, the better one first."""
_AVERAGED = re.compile(r"(^|_)(ema|swa|averaged)(_|$)", re.IGNORECASE)
"""How averaged weights are called: params_ema, state_dict_ema, model_ema, ema, swa_model."""
_COUNT = "n_averaged"
"""Where PyTorch's AveragedModel counts."""
_DEEPEST = 4
"""Containers within containers."""
_NUMBERS = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
"""What a weights file may hold."""

_USUAL = re.compile(
    r"torch\.(\w*Storage|Size|Tensor|device|bool|[a-z]*(int|float|complex)\d+\w*)|torch\._utils\._rebuild_\w+"
    r"|torch\.nn\.parameter\.Parameter|torch\._tensor\._rebuild_from_type_v2|torch\.serialization\._get_layout"
    r"|collections\.(OrderedDict|Counter)|_codecs\.encode|builtins\.(set|bytearray|complex)"
)
"""What the pickle of tensors names, and PyTorch's unpickler knows."""
_BESIDE = re.compile(
    r"argparse\.Namespace|types\.SimpleNamespace|pathlib(\._local)?\.\w*Path|datetime\.\w+|typing\.\w+"
    r"|collections\.(defaultdict|deque)|decimal\.Decimal|fractions\.Fraction|uuid\.UUID"
    r"|builtins\.(dict|list|tuple|str|int|float|bool|bytes|frozenset|slice|range)|torch\.torch_version\.TorchVersion"
    r"|numpy\.(ndarray|dtype|_?core\.(multiarray\.(scalar|_reconstruct)|numeric\._frombuffer)|random\.[\w.]+(_ctor|__pyx_unpickle_\w+))"
)
"""What is often beside weights; it gets a stand-in, as classes of other people do."""
_OLDER = 5
"""Pickles in a row that a file of PyTorch's older kind begins with; numbers follow."""
_CPU_SECONDS = 240

Told = dict[str, object]
"""What came of a file, for JSON."""


class _Inert:
    """Stands in for something a file asks for, and does nothing with what it is given."""

    def __new__(cls, *given: object) -> Any:  # noqa: ANN401 - see the text
        """With nothing given an empty dict, which may be filled later (options often are a kind of dict)."""
        return super().__new__(cls) if given else OrderedDict[object, object]()

    def __init__(self, *given: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


class _InertList(list[object]):
    """Stands in for what is filled like a list."""

    def __init__(self, *given: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


def _inert_dict(*given: object) -> OrderedDict[object, object]:
    """Stands in for a dict that is made with something given."""
    return OrderedDict()


_FILLED = {"collections.defaultdict": _inert_dict, "collections.deque": _InertList}


class _NothingError(ValueError):
    """There is nothing to take, in words that go on a sentence about a file."""


@dataclass(frozen=True)
class _Found:
    """Named tensors, and the way to them through containers."""

    way: str
    averaged: bool
    state: dict[str, Any]


def extract(source: Path, target: Path, room: int, raw: bool = False) -> Told:
    """Open `source`, write the tensors it holds to `target`; what happened.

    Where there are averaged weights and others, the averaged ones are taken, or with `raw` the others.
    """
    import torch
    from safetensors.torch import save_file

    asked = _asked_for(source)
    beside = [name for name in asked if _may_stand_in(name)]
    try:
        stand_ins: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
            (_FILLED.get(name, _Inert), name) for name in beside
        ]
        with warnings.catch_warnings(action="ignore"), torch.serialization.safe_globals(stand_ins):
            content = torch.load(source, map_location="cpu", weights_only=True)
        state, told = _taken(content, raw)
        # What a tensor claims counts, not what is stored of it: one number can be spread over gigabytes.
        if sum(value.numel() * value.element_size() for value in state.values()) > room // 2:
            return {"fault": "memory"}
        save_file({name: value.clone(memory_format=torch.contiguous_format) for name, value in state.items()}, target)
    except pickle.UnpicklingError as error:
        if asked or _is_refusal(error):
            return _unsafe([name for name in asked if name not in beside] or beside)
        later = _later_protocol(source)
        return {"fault": "nothing", "told": later} if later else _damaged("it is no list of tensors")
    except MemoryError:
        return {"fault": "memory"}
    except _NothingError as error:
        return {"fault": "nothing", "told": str(error)}
    except Exception as error:  # a foreign file may fail in any way
        if beside and isinstance(error, TypeError | AttributeError):  # what no stand-in here is like
            return _unsafe(beside)
        return {"fault": "memory"} if "allocate" in str(error) else _damaged(str(error) or type(error).__name__)
    return {"tensors": len(state), **told, **({"beside": beside} if beside else {})}


def _taken(content: object, raw: bool) -> tuple[dict[str, Any], Told]:
    """The tensors to take; where there was a choice, what they are called and what was left."""
    found = list(_states(content))
    averaged, plain = ([one for one in found if one.averaged is kind] for kind in (True, False))
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__} instead of named tensors")
    if not found:
        parts = ", ".join(name for name, _ in _entries(content)[:5]) or "nothing"
        raise _NothingError(f"it holds no named tensors, only {parts}; save the state_dict() of the network by itself")
    if raw and not plain:
        raise _NothingError("it holds averaged weights only; leave --raw out")
    first, others = (plain[0], averaged) if raw or not averaged else (averaged[0], plain)
    for name, value in first.state.items():
        _check_usable(name, value)
    told: Told = {"averaged": first.averaged, "taken": first.way, "left": others[0].way} if others else {}
    if not averaged and (nameless := _nameless(content)):
        told = {"nameless": nameless}
    return {name: value.detach() for name, value in first.state.items()}, told


def _states(content: object, way: tuple[str, ...] = ()) -> Iterator[_Found]:
    """Named tensors in a file; what contains some is not looked at itself."""
    import torch

    if not isinstance(content, dict) or len(way) > _DEEPEST:
        return
    entries = _entries(content)
    inner = [entry for entry in entries if entry[0] in _CONTAINERS or _AVERAGED.search(entry[0])]
    inner.sort(key=lambda entry: _CONTAINERS.index(entry[0]) if entry[0] in _CONTAINERS else -1)
    deeper = [found for key, value in inner for found in _states(value, (*way, key))]
    state = {key: value for key, value in entries if isinstance(value, torch.Tensor)}
    if deeper:
        yield from deeper
    elif state:
        yield _Found(".".join(way), _COUNT in state or any(map(_AVERAGED.search, way)), state)


def _entries(content: object) -> list[tuple[str, Any]]:
    """What lies under names, read past anything that a file may have put onto its dict."""
    return [(key, value) for key, value in dict.items(cast(dict[Any, Any], content)) if isinstance(key, str)]


def _nameless(content: object) -> str | None:
    """Where there are averaged weights without names."""
    return next((key for key, value in _entries(content) if _AVERAGED.search(key) and _holds_something(value)), None)


def _holds_something(value: object) -> bool:
    return isinstance(value, dict | list | tuple) and bool(cast(list[object], value))


def _check_usable(name: str, value: Any) -> None:  # noqa: ANN401 - a tensor of any kind
    import torch

    kind = str(value.dtype).removeprefix("torch.")
    if value.layout != torch.strided or value.device.type != "cpu":
        raise _NothingError(f"its {name} is a tensor without stored numbers of its own (sparse or on no device)")
    if kind not in _NUMBERS:
        raise _NothingError(f"its {name} holds numbers of the kind {kind}, which no network here uses")


def _may_stand_in(name: str) -> bool:
    """Whether something asked for is but left beside weights: classes neither of Python nor of PyTorch, and a few."""
    module, _, own = name.rpartition(".")
    foreign = module.split(".")[0] not in {"torch", *sys.stdlib_module_names, *IMPORT_MAPPING}
    return _BESIDE.fullmatch(name) is not None or (foreign and own.lstrip("_")[:1].isupper())


def _is_refusal(error: Exception) -> bool:
    """Whether the restricted unpickler met something it does not want, rather than nonsense."""
    return any(words in str(error) for words in ("GLOBAL", "unrecognized function", "Can only"))


_NONSENSE = (ValueError, ArithmeticError, LookupError, OSError, EOFError, MemoryError, StopIteration, RuntimeError,
             struct.error, zipfile.BadZipFile, zlib.error)  # fmt: skip
"""What reading the bytes of a damaged file raises."""


def _asked_for(source: Path) -> list[str]:
    """The things a pickle names, read from its bytes without running them; those every file of tensors names aside."""
    names: list[str] = []
    texts: list[str] = []
    try:
        stream = io.BytesIO(_pickle_of(source))
        for _ in range(_OLDER):
            for code, argument, _ in pickletools.genops(stream):
                if code.name == "GLOBAL":
                    names.append(_today(*str(argument).split(" ", 1)))
                elif code.name == "STACK_GLOBAL":
                    names.append(".".join(texts[-2:]))
                elif isinstance(argument, str):
                    texts.append(argument)
    except _NONSENSE:
        pass  # the end, or nonsense; what was found until then is worth telling
    return [name for name in dict.fromkeys(names) if not _USUAL.fullmatch(name)]


def _today(module: str, own: str) -> str:
    """A name as Python 3 has it: files name Python's own kinds as Python 2 did (`__builtin__.unicode`)."""
    if module != "__builtin__":
        return f"{module}.{own}"
    return ".".join(NAME_MAPPING.get((module, own), ("builtins", own)))


def _pickle_of(source: Path) -> bytes:
    """The pickle in a PyTorch file of the newer (zip) or older kind."""
    if not zipfile.is_zipfile(source):
        return source.read_bytes()
    with zipfile.ZipFile(source) as archive:
        inside = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        return archive.read(inside)


def _later_protocol(source: Path) -> str | None:
    """What to say of a pickle in one of the forms that PyTorch's restricted unpickler does not read."""
    start = _pickle_of(source)[:2]
    if start not in (b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        return None
    return (
        f"its pickle is of protocol {start[1]} and only 2 is read safely; save it anew with torch.save(tensors, FILE)"
    )


def _unsafe(asks: list[str]) -> Told:
    return {"fault": "unsafe", "asks": asks[:5]}


def _damaged(told: str) -> Told:
    return {"fault": "damaged", "told": told.splitlines()[0][:200]}


def _limit(room: int) -> None:
    """No more memory, time and file size than opening takes; where the platform has such limits."""
    try:
        import resource
    except ImportError:
        return
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_CPU: _CPU_SECONDS, resource.RLIMIT_FSIZE: room}
    used = Path("/proc/self/statm")
    if used.exists():
        limits[resource.RLIMIT_AS] = int(used.read_text().split()[0]) * resource.getpagesize() + room
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def main(source: str, target: str, room: str, which: str) -> None:
    """See above."""
    import torch  # takes more memory than any file, so the limits come after it

    torch.set_num_threads(1)
    _limit(int(room))
    sys.stdout.write(json.dumps(extract(Path(source), Path(target), int(room), which == "raw")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
