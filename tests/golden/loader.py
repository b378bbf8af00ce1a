"""Golden numbers: what the official networks put out for weights and inputs made by `fill_rule`.

A test of a network of ours reads

    gold = golden("estrnn_c80b15")                  # one of NAMES
    network = EstRnn(EstRnnConfig(**...)).eval()    # by gold.hyper_parameters
    assert_same_layout(network, gold)               # official names, shapes, dtypes
    fill(network, gold)                             # weights by rule; asserts their CRC-32
    x = gold.input.double() - 0.5                   # float32 `1 frame 3 height width` in [0, 1]; see gold.convention
    gold.check(output=network.double().deblur(x, None, None))

`check` takes whole arrays by the name of what they are (`output`, `flow`, `backward_1`, ...), compares every stored cut
of each, and picks the tolerance by the arrays' dtype: float64 is the sharp test, float32 has ten times the rounding
error seen. `gold.errors(...)` gives the largest difference of each cut instead. `gold.wanted` lists the names.
"""

import json
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from golden import fill_rule

HERE = Path(__file__).parent
NAMES = tuple(sorted(path.stem for path in HERE.glob("*.json")))


class Key(NamedTuple):
    """One entry of the official state_dict."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Expected:
    """A cut of one array that the official network computes."""

    of: str
    """Name of the whole array, as `Golden.check` takes it."""
    cut: tuple[Any, ...]
    """Index that cuts the stored part out of the whole array."""
    values: np.ndarray
    """float32, rounded from a float64 run; read-only."""
    meaning: str
    atol_float64: float
    atol_float32: float

    def error(self, whole: Tensor) -> float:
        """Largest difference of the cut; the whole array has the official shape."""
        part = whole.detach().cpu()[self.cut].double()
        assert part.shape == self.values.shape, f"{self.of}: {tuple(part.shape)} is not {self.values.shape}"
        return (part - torch.tensor(self.values).double()).abs().max().item()

    def tolerance(self, dtype: torch.dtype) -> float:
        return self.atol_float64 if dtype == torch.float64 else self.atol_float32


@dataclass(frozen=True)
class Golden:
    """Everything known about one official network in one size."""

    name: str
    what: str
    input: Tensor
    """float32 `1 frame 3 height width` in [0, 1], exact to 8 bits; not to be written to."""
    convention: dict[str, str]
    """How the network is called: channels, range, call."""
    expected: dict[str, Expected]
    keys: tuple[Key, ...]
    """The official state_dict in its own order, bare names."""
    buffers: tuple[str, ...]
    """Those of `keys` that are no parameters."""
    aliases: tuple[tuple[str, str], ...]
    """Names that share one tensor; when filled, the later name wins."""
    hyper_parameters: dict[str, Any]
    prefix: str
    """What official checkpoint files put before the names."""
    container: str
    notes: tuple[str, ...]
    """Details that are easy to get wrong."""
    crc32: str
    """Of all filled floating entries in official order."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {key.name: key.shape for key in self.keys}

    @property
    def wanted(self) -> set[str]:
        """Names of the whole arrays of which cuts are stored."""
        return {e.of for e in self.expected.values()}

    def errors(self, **wholes: Tensor) -> dict[str, float]:
        """Largest difference of every stored cut of the arrays given."""
        unknown = wholes.keys() - self.wanted
        assert not unknown, f"{self.name} has nothing stored of {unknown}, only of {self.wanted}"
        return {key: e.error(wholes[e.of]) for key, e in self.expected.items() if e.of in wholes}

    def check(self, **wholes: Tensor) -> None:
        """Assert that every stored cut of the arrays given is met within the tolerance of their dtype."""
        for key, error in self.errors(**wholes).items():
            expected = self.expected[key]
            dtype = wholes[expected.of].dtype
            limit = expected.tolerance(dtype)
            assert error <= limit, f"{self.name}: {key} is off by {error:.3g}, allowed {limit:.3g} in {dtype}"


@cache
def golden(name: str) -> Golden:
    """The golden numbers of one network."""
    facts = json.loads((HERE / f"{name}.json").read_text())
    arrays = np.load(HERE / f"{name}.npz")
    pixels = fill_rule.make_input(*facts["input"].pop("frames_height_width"))[None]
    assert f"{zlib.crc32(pixels.tobytes()):08x}" == facts["input"].pop("crc32"), "the input is not the one measured"
    return Golden(
        name=name,
        what=facts["what"],
        input=torch.from_numpy(pixels).float() / 255,
        convention=facts["input"],
        expected={
            key: Expected(**{**e, "cut": _index(e["cut"]), "values": _kept(arrays[key])})
            for key, e in facts["expected"].items()
        },
        keys=tuple(Key(name, tuple(shape), dtype) for name, shape, dtype in facts["keys"]),
        buffers=tuple(facts["buffers"]),
        aliases=tuple((first, second) for first, second in facts["aliases"]),
        hyper_parameters=facts["hyper_parameters"],
        prefix=facts["prefix"],
        container=facts["container"],
        notes=tuple(facts["notes"]),
        crc32=facts["crc32"],
    )


def fill(network: nn.Module, gold: Golden) -> nn.Module:
    """Overwrite the weights by the rule, in official order, and assert their CRC-32.

    Constants that the rule keeps (SPyNet's mean and std) must already have their official values.
    """
    state, crc = network.state_dict(), 0
    with torch.no_grad():
        for key in gold.keys:
            values = fill_rule.weight(key.name, key.shape) if key.dtype == "float32" else None
            if values is not None:
                state[key.name].copy_(torch.from_numpy(values))
    for key in gold.keys:
        if key.dtype == "float32":
            values = state[key.name].detach().cpu().float().numpy()
            crc = zlib.crc32(np.ascontiguousarray(values).astype("<f4").tobytes(), crc)
    assert f"{crc:08x}" == gold.crc32, f"{gold.name}: the filled weights are not those measured with"
    return network


def assert_same_layout(network: nn.Module, gold: Golden, without: Collection[str] = ()) -> None:
    """The network's state_dict has the official names, shapes and dtypes, but for constants named in `without`.

    Order does not matter.
    """
    ours = {Key(k, tuple(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in network.state_dict().items()}
    official = {key for key in gold.keys if key.name not in without}
    assert not official - ours, f"missing or of another shape: {sorted(official - ours)[:5]}"
    assert not ours - official, f"not in the official layout: {sorted(ours - official)[:5]}"


def _index(text: str) -> tuple[Any, ...]:
    """`"..., 1::3, 2::3"` -> an index."""
    return tuple(... if part == "..." else _slice(part) for part in text.split(", "))


def _kept(values: np.ndarray) -> np.ndarray:
    values.setflags(write=False)
    return values


def _slice(text: str) -> slice:
    return slice(*[int(part) if part else None for part in text.split(":")])
