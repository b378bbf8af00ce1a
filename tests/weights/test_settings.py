"""A configuration's fields are held against their types."""

from dataclasses import dataclass
from typing import Literal

import pytest

from selfhvd.weights.settings import SettingError, as_text, configured, from_text


@dataclass(frozen=True)
class Config:
    colour: Literal["rgb", "bgr"] = "bgr"
    width: int = 4
    share: float = 0.5
    on: bool = True
    sizes: tuple[int, ...] = (1, 2)
    pair: tuple[int, str] | None = None
    nested: tuple[tuple[int, int], ...] = ()


def test_round_trip():
    config = Config("rgb", 8, 0.25, False, (3,), (1, "a"), ((1, 2), (3, 4)))
    assert from_text(as_text(config), Config) == config


def test_defaults_and_changes():
    assert from_text("{}", Config) == Config()
    assert configured(Config(width=9), {"colour": "rgb"}) == Config("rgb", 9)
    assert configured(Config, {"share": 1}) == Config(share=1)


WRONG = [
    {"colour": "cmyk"},
    {"width": 4.0},
    {"width": True},
    {"width": "4"},
    {"width": 4097},
    {"width": -4097},
    {"share": float("nan")},
    {"share": "0.5"},
    {"on": 1},
    {"sizes": [1, None]},
    {"sizes": 1},
    {"pair": [1, 2]},
    {"pair": [1]},
    {"nested": [[1, 2, 3]]},
    {"nested": {"1": 2}},
]


@pytest.mark.parametrize("changes", WRONG)
def test_values_that_do_not_suit(changes):
    with pytest.raises(SettingError, match=f"the setting {next(iter(changes))} cannot be"):
        configured(Config, changes)


def test_the_sentence_says_what_would_suit():
    with pytest.raises(SettingError, match="the setting colour cannot be cmyk, only rgb or bgr"):
        configured(Config, {"colour": "cmyk"})
    with pytest.raises(SettingError, match="there is no setting size, only colour, width"):
        configured(Config, {"size": 3})
