"""The lines a child process writes for its parent: one JSON object each, on standard output."""

import json
import sys
from collections.abc import Callable
from typing import Any

Report = Callable[..., None]


def report(**fields: Any) -> None:  # noqa: ANN401 - any JSON value
    """Send `fields` to the parent; a parent that has gone away ends this process by BrokenPipeError."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()
