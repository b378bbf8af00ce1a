"""The names official checkpoints give their tensors, brought to the names of the networks here."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

Value = TypeVar("Value")

_WRAPPERS = ("module.", "model.", "generator.", "net.", "network.", "net_g.", "netG.", "online_model.")
"""What training code puts before all names: DataParallel, a wrapper class, a model of several networks."""
_CHOSEN = ("generator.", "net_g.", "netG.")
"""Where some names have it, the others belong to something else (a discriminator, a step counter)."""
_WITHIN = re.compile(r"(?<![^.])_(orig_mod|fsdp_wrapped_module|checkpoint_wrapped_module)\.")
"""What `torch.compile` and wrappers of single layers put anywhere into a name."""
_AVERAGED = re.compile(r"(\w+_)?(ema|swa|averaged)(_\w+)?\.", re.IGNORECASE)
"""What is before the names of averaged weights that stand beside the raw ones: generator_ema, ema_model."""
_COUNTERS = re.compile(r"n_averaged|initted|step|decay|num_updates")
"""Numbers that averaging keeps beside the weights."""
_CONSTANTS = re.compile(r"(^|\.)(spynet\.(mean|std)|relative_position_index|num_batches_tracked)$|^(mean|std)$")
"""Stored, but the same in every file: a network here may or may not store them too."""
_UNUSED = re.compile(r"^classifier\.")
"""VGG's last layers: the perceptual loss ends before them."""

_SPYNET = re.compile(r"^(|.*spynet\.)basic_module\.(\d)\.basic_module\.(\d)\.(conv\.)?(weight|bias)$")


def layouts(state: Mapping[str, Value], averaged: bool = False) -> Iterator[dict[str, Value]]:
    """The ways to read a checkpoint's names, no two alike: bare, either layout of SPyNet, without stored constants.

    Args:
        state: tensors, or anything else, by the names a file gives them.
        averaged: where a file has weights under the names of averaged ones, take those; else leave them out.
    """
    bare = _bare(state, averaged)
    seen: set[frozenset[str]] = set()
    for renamed in ({spynet(name): value for name, value in bare.items()} for spynet in (str, _as_mmedit, _as_basicsr)):
        for way in (renamed, {name: value for name, value in renamed.items() if not _CONSTANTS.search(name)}):
            if frozenset(way) not in seen:
                seen.add(frozenset(way))
                yield way


def has_averaged(state: Mapping[str, object]) -> bool:
    """Whether weights stand under the names of averaged ones."""
    names = {name: name for name in state}
    return _bare(names, averaged=True) != _bare(names, averaged=False)


def _bare(state: Mapping[str, Value], averaged: bool) -> dict[str, Value]:
    """Without what training code puts before the names."""
    found = {_WITHIN.sub("", name): value for name, value in state.items() if not _COUNTERS.fullmatch(name)}
    found = found if averaged else _without_averaged(found)
    while prefix := _prefix(found.keys(), averaged):
        found = {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
        found = found if averaged else _without_averaged(found)
    return {name: value for name, value in found.items() if not _UNUSED.search(name)}


def _without_averaged(state: dict[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in state.items() if not _AVERAGED.match(name)}


def _prefix(names: Collection[str], averaged: bool) -> str | None:
    if averaged and (found := next(filter(None, map(_AVERAGED.match, names)), None)):
        return found[0]
    if chosen := next((p for p in _CHOSEN if any(name.startswith(p) for name in names)), None):
        return chosen
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
