"""A process of its own in which a foreign PyTorch file is opened: it imports nothing of selfhvd and hands back numbers.

    python -P unpickle.py IN.pth OUT.safetensors ROOM

Only PyTorch's restricted unpickler is used: it knows tensors, plain Python values and nothing else, and stops at the
first other thing a file asks for, before calling it. Should it have a fault all the same, the damage is one process
with limited memory, time and file size and no environment worth reading. ROOM is the memory in bytes for the file's
content. One line of JSON on the standard output says what came of it.
"""

import io
import json
import pickle
import pickletools
import re
import sys
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

_CONTAINERS = ("state_dict", "params_ema", "params", "model_state_dict", "model_state", "model")
"""What official files put around their tensors, the better one first."""
_USUAL = re.compile(r"torch\.(\w*Storage|_utils\._rebuild_\w+)|collections\.OrderedDict|(__builtin__|builtins)\.set")
"""What the pickle of tensors names."""
_CPU_SECONDS = 240


def extract(source: Path, target: Path, room: int) -> dict[str, object]:
    """Open `source`, write the tensors it holds to `target`; what happened."""
    import torch
    from safetensors.torch import save_file

    try:
        with warnings.catch_warnings(action="ignore"):
            found = torch.load(source, map_location="cpu", weights_only=True)
        state = {name: value.detach() for name, value in _tensors(found)}
        # What a tensor claims counts, not what is stored of it: one number can be spread over gigabytes.
        if sum(value.numel() * value.element_size() for value in state.values()) > room // 2:
            return {"fault": "memory"}
        save_file({name: value.clone(memory_format=torch.contiguous_format) for name, value in state.items()}, target)
    except pickle.UnpicklingError as error:
        asks = _asked_for(source)
        unsafe = asks or _is_refusal(error)
        return {"fault": "unsafe", "asks": asks} if unsafe else {"fault": "damaged", "told": "it is no list of tensors"}
    except MemoryError:
        return {"fault": "memory"}
    except Exception as error:  # a foreign file may fail in any way
        return {"fault": "memory"} if "allocate" in str(error) else _damaged(error)
    return {"tensors": len(state)}


def _tensors(found: object) -> Iterator[tuple[str, Any]]:
    """Names and dense tensors of the state_dict that a file is or contains."""
    import torch

    for _ in range(4):
        inner = [found[key] for key in _CONTAINERS if isinstance(found, Mapping) and key in found]
        found = next((value for value in inner if isinstance(value, Mapping)), found)
    if not isinstance(found, Mapping):
        raise ValueError(f"it holds a {type(found).__name__} instead of named tensors")
    for name, value in cast(Mapping[object, object], found).items():
        if isinstance(name, str) and isinstance(value, torch.Tensor) and value.layout == torch.strided:
            yield name, value


def _is_refusal(error: Exception) -> bool:
    """Whether the restricted unpickler met something it does not want, rather than nonsense."""
    return any(words in str(error) for words in ("GLOBAL", "unrecognized function", "Can only"))


def _asked_for(source: Path) -> list[str]:
    """The things a pickle names, read from its bytes without running them; those of PyTorch and plain Python aside."""
    names: list[str] = []
    texts: list[str] = []
    try:
        stream = io.BytesIO(_pickle_of(source))
        while True:  # the older kind is several pickles in a row
            for code, argument, _ in pickletools.genops(stream):
                if code.name == "GLOBAL":
                    names.append(str(argument).replace(" ", "."))
                elif code.name == "STACK_GLOBAL":
                    names.append(".".join(texts[-2:]))
                elif isinstance(argument, str):
                    texts.append(argument)
    except Exception:  # the end, or nonsense; what was found until then is worth telling
        return [name for name in dict.fromkeys(names) if not _USUAL.fullmatch(name)][:5]


def _pickle_of(source: Path) -> bytes:
    """The pickle in a PyTorch file of the newer (zip) or older kind."""
    if not zipfile.is_zipfile(source):
        return source.read_bytes()
    with zipfile.ZipFile(source) as archive:
        inside = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        return archive.read(inside)


def _damaged(error: Exception) -> dict[str, object]:
    told = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return {"fault": "damaged", "told": "it is a TorchScript program" if "TorchScript" in told else told}


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


def main(source: str, target: str, room: str) -> None:
    """See above."""
    import torch  # takes more memory than any file, so the limits come after it

    torch.set_num_threads(1)
    _limit(int(room))
    sys.stdout.write(json.dumps(extract(Path(source), Path(target), int(room))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
