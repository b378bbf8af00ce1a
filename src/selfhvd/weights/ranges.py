"""The ranges of the values inside a network, in its file's texts: JSON, place -> least and largest."""

import json
from typing import Any, cast

from selfhvd.backbones.lite import Lite
from selfhvd.backbones.lite_int8 import Ranges, places
from selfhvd.weights.fit import MisfitError

RANGES = "ranges"
_MOST = 1e6
"""No value inside is believed to be larger."""


def as_text(ranges: Ranges) -> str:
    """See `ranges_in`."""
    return json.dumps({place: [round(value, 4) for value in range_] for place, range_ in ranges.items()})


def ranges_in(text: str, network: Lite) -> Ranges:
    """Those that a file tells of its network.

    Raises:
        MisfitError: they are not those of all the network's places.
    """
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or set(cast(dict[str, Any], told)) != set(places(network)):
        raise MisfitError("its ranges are not those of its network's values")
    return {place: _range(told[place]) for place in places(network)}


def _range(told: object) -> tuple[float, float]:
    match told:
        case [int() | float() as least, int() | float() as largest]:
            if -_MOST <= least <= 0 <= largest <= _MOST:
                return float(least), float(largest)
        case _:
            pass
    raise MisfitError("its ranges are not those of its network's values")
