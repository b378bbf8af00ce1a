"""A network's configuration as text and back; every field is held against its declared type."""

import dataclasses
import json
from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from selfhvd.weights.header import shown

_LONGEST = 16 * 2**10
"""Characters of a configuration."""
_MOST = 4096
"""No number in a configuration is larger: a file must not be able to ask for a network without end."""


class SettingError(ValueError):
    """What is wrong with a configuration, in words."""


def as_text(config: object) -> str:
    """A frozen dataclass as JSON."""
    return json.dumps(dataclasses.asdict(config))  # pyright: ignore[reportArgumentType]


def from_text(text: str, config_class: type) -> object:
    """The configuration that `as_text` wrote; settings it does not mention keep their defaults.

    Raises:
        SettingError: it is no table, or a setting is unknown, of the wrong type or beyond measure.
    """
    try:
        table = json.loads(text) if len(text) <= _LONGEST else None
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict):
        raise SettingError("the configuration is no table of settings")
    return configured(config_class, cast(dict[str, Any], table))


def configured(config: Any, changes: Mapping[str, object]) -> object:  # noqa: ANN401 - any frozen dataclass
    """A configuration (given as a class: its defaults) with some settings changed.

    Raises:
        SettingError: see `from_text`.
    """
    config_class = config if isinstance(config, type) else type(config)
    wanted = get_type_hints(config_class)
    for name, value in changes.items():
        if name not in wanted:
            raise SettingError(f"there is no setting {shown(name)}, only {', '.join(wanted)}")
        if not _fits(_frozen(value), wanted[name]):
            raise SettingError(f"the setting {name} cannot be {shown(value)}, only {in_words(wanted[name])}")
    frozen = {name: _frozen(value) for name, value in changes.items()}
    return config_class(**frozen) if isinstance(config, type) else dataclasses.replace(config, **frozen)


def in_words(wanted: Any) -> str:  # noqa: ANN401 - an annotation
    """What a field's type allows, for a person."""
    if get_origin(wanted) is Literal:
        return " or ".join(str(value) for value in get_args(wanted))
    names = {int: f"a whole number up to {_MOST}", float: "a number", bool: "true or false", str: "a text"}
    return names.get(wanted) or str(wanted)


def _frozen(value: object) -> object:
    """Lists, as JSON has them, as tuples."""
    if isinstance(value, list | tuple):
        return tuple(_frozen(part) for part in cast(list[object], value))
    return value


def _fits(value: object, wanted: Any) -> bool:  # noqa: ANN401 - an annotation
    """Whether a value is of a type built from numbers, texts, Literal, tuple and None."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin is Literal:
        return any(type(value) is type(allowed) and value == allowed for allowed in inner)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is tuple:
        return isinstance(value, tuple) and _all_fit(cast(tuple[object, ...], value), inner)
    if wanted is float:
        return type(value) in (int, float) and abs(cast(float, value)) <= _MOST
    if wanted is int:
        return type(value) is int and abs(value) <= _MOST
    return type(value) is wanted


def _all_fit(values: tuple[object, ...], wanted: tuple[Any, ...]) -> bool:
    if len(wanted) == 2 and wanted[1] is Ellipsis:
        return all(_fits(value, wanted[0]) for value in values)
    return len(values) == len(wanted) and all(map(_fits, values, wanted))
