"""The names official checkpoints give their tensors, brought to the names of the networks here."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

Value = TypeVar("Value")

_WRAPPERS = ("module.", "model.", "generator.")
"""What training code puts before all names: DataParallel, a wrapper class, a model of several networks."""
_CHOSEN = "generator."
"""Where some names have it, the others belong to something else (a discriminator, a step counter)."""
_CONSTANTS = re.compile(r"(^|\.)(spynet\.(mean|std)|relative_position_index|num_batches_tracked)$")
"""Stored, but the same in every file: a network here may or may not store them too."""
_UNUSED = re.compile(r"^classifier\.")
"""VGG's last layers: the perceptual loss ends before them."""

_SPYNET = re.compile(r"^(|.*spynet\.)basic_module\.(\d)\.basic_module\.(\d)\.(conv\.)?(weight|bias)$")


def layouts(state: Mapping[str, Value]) -> Iterator[dict[str, Value]]:
    """The ways to read a checkpoint's names, no two alike: bare, either layout of SPyNet, without stored constants."""
    bare = _bare(state)
    seen: set[frozenset[str]] = set()
    for renamed in ({spynet(name): value for name, value in bare.items()} for spynet in (str, _as_mmedit, _as_basicsr)):
        for way in (renamed, {name: value for name, value in renamed.items() if not _CONSTANTS.search(name)}):
            if frozenset(way) not in seen:
                seen.add(frozenset(way))
                yield way


def _bare(state: Mapping[str, Value]) -> dict[str, Value]:
    """Without what training code puts before the names."""
    found = dict(state)
    while prefix := _prefix(found.keys()):
        found = {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
    return {name: value for name, value in found.items() if not _UNUSED.search(name)}


def _prefix(names: Collection[str]) -> str | None:
    if any(name.startswith(_CHOSEN) for name in names):
        return _CHOSEN
    return next((p for p in _WRAPPERS if names and all(name.startswith(p) for name in names)), None)


def _as_mmedit(name: str) -> str:
    """As `basic_module.L.basic_module.{0..4}.conv.*`."""
    found = _SPYNET.match(name)
    if found is None or found[4]:
        return name
    return f"{found[1]}basic_module.{found[2]}.basic_module.{int(found[3]) // 2}.conv.{found[5]}"


def _as_basicsr(name: str) -> str:
    """As `basic_module.L.basic_module.{0,2,4,6,8}.*`."""
    found = _SPYNET.match(name)
    if found is None or not found[4]:
        return name
    return f"{found[1]}basic_module.{found[2]}.basic_module.{int(found[3]) * 2}.{found[5]}"
