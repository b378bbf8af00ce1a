"""Recipe: everything that decides a training over a dataset, typed, read from TOML and written back whole."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from selfhvd.datasets import Part
from selfhvd.errors import InputError, UsageError
from selfhvd.extensions.selection import SharpConfig
from selfhvd.flow import CertaintyConfig
from selfhvd.method.align import AlignConfig
from selfhvd.restore.config import RestoreConfig
from selfhvd.training.config import AdaptConfig
from selfhvd.weights.choose_flow import FlowName


@dataclass(frozen=True)
class DataRecipe:
    """What is trained on."""

    folder: Path = Path()
    """A dataset, one part of it, or one clip; a relative path is seen from where the command runs."""
    layout: str = "auto"
    part: Part | None = None
    clips: int | None = None
    """Only the first so many clips."""
    screened: bool = True
    """Pass over clips in which, by the length of their blur, no frame is blurred or none is sharp (ours)."""


@dataclass(frozen=True)
class NetworkRecipe:
    """What is trained."""

    backbone: str = "lite"
    weights: str = "scratch"
    """scratch: untrained; at-hand: those that come with selfhvd or were fetched; else a file."""
    flow_weights: Path | None = None
    """Weights of SPyNet that the flow inside an untrained basicvsrpp or rvrt starts from (published: pretrained)."""
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    """Changes to an untrained network's own configuration, as `{blocks = 3}`."""


@dataclass(frozen=True)
class FlowRecipe:
    """By which flow sharp frames are aligned."""

    name: FlowName = "auto"
    weights: Path | None = None
    certainty: CertaintyConfig = CertaintyConfig()


@dataclass(frozen=True)
class Recipe:
    """One training."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    data: DataRecipe = DataRecipe()
    network: NetworkRecipe = field(default_factory=NetworkRecipe)
    flow: FlowRecipe = FlowRecipe()
    sharp: SharpConfig = SharpConfig(rule="otsu")
    align: AlignConfig = AlignConfig()
    method: AdaptConfig = field(default_factory=lambda: AdaptConfig(judge=False, frames=1000))
    restore: RestoreConfig = RestoreConfig(which="all")
    """How the clips are restored in the end, where each trains a network of its own."""
    per_clip: bool = False
    """Test-time training: each clip trains a network of its own from the same start, and is restored with it."""
    seed: int = 0
    device: str = "auto"
    save_every: int = 500
    """Steps between two saves of the state."""
    tell_every: int = 10
    """Steps between two lines of the journal."""

    def resolved(self) -> "Recipe":
        """The same, with every setting that follows another one filled in."""
        return replace(self, method=self.method.following(self.sharp))


_TYPE = TypeAdapter(Recipe)


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe; what it does not mention keeps its default.

    Args:
        path: a TOML file.
        changes: `method.stage_one.steps=100` and the like, which win over the file.

    Raises:
        InputError: the file cannot be read, or is no TOML.
        UsageError: a key is unknown, or a value does not fit.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} is no recipe in TOML ({error}).") from error
    for change in changes:
        table = _merged(table, _nested(change))
    return typed(table, str(path))


def typed(table: Mapping[str, Any], where: str = "the recipe") -> Recipe:
    """A recipe from plain tables; `UsageError` names the key that is wrong."""
    whole = _merged(json.loads(json.dumps(asdict(Recipe()), default=str)), table)
    try:
        # Strict, but as JSON, in which a path is a text and a tuple a list.
        return _TYPE.validate_json(json.dumps(whole, default=str), strict=True).resolved()
    except ValidationError as error:
        raise UsageError(f"{where}: {_in_words(error)}.") from error


def _in_words(error: ValidationError) -> str:
    """The first thing that is wrong: its key, and why."""
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "unexpected_keyword_argument":
        return f"there is no key {key} (there are {', '.join(_siblings(first['loc']))})"
    return f"{key} is wrong: {first['msg'].lower()}"


def as_json(recipe: Recipe) -> str:
    """All of a recipe."""
    return json.dumps(asdict(recipe.resolved()), default=str)


def as_toml(recipe: Recipe) -> str:
    """All of a recipe, as `read_recipe` reads it; settings that are None are left out.

    Raises:
        UsageError: tomli-w is not installed.
    """
    try:
        import tomli_w
    except ImportError:
        raise UsageError("Training needs tomli-w; install it with: pip install '.[train]'") from None
    return tomli_w.dumps(cast(dict[str, Any], _without_none(json.loads(as_json(recipe)))))


def difference(one: Recipe, other: Recipe) -> list[str]:
    """The keys in which two recipes differ."""
    flat = [_flat(json.loads(as_json(recipe))) for recipe in (one, other)]
    return sorted(key for key in {**flat[0], **flat[1]} if flat[0].get(key) != flat[1].get(key))


def _nested(change: str) -> dict[str, Any]:
    """`a.b=3` as {"a": {"b": 3}}; what is no TOML value is a text."""
    key, sign, value = change.partition("=")
    if not sign or not all(key.split(".")):
        raise UsageError(f"{change} is no change of the recipe; write KEY=VALUE, as method.stage_one.steps=100.")
    try:
        found: Any = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        found = value
    for part in reversed(key.split(".")):
        found = {part: found}
    return found


def _merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(table)
    for key, value in changes.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(cast(dict[str, Any], old), cast(dict[str, Any], value)) if both else value
    return merged


def _siblings(place: tuple[int | str, ...]) -> list[str]:
    """The keys that there are where an unknown one was given."""
    table: Any = json.loads(as_json(Recipe()))
    for part in place[:-1]:
        table = table.get(part, {})
    return list(table)


def _without_none(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in cast(dict[str, object], value).items() if inner is not None}
    return value


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in table.items():
        flat |= (
            _flat(cast(dict[str, Any], value), f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
        )
    return flat
