"""What is known about a weights file of ours."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfhvd.weights.download import file_hash
from selfhvd.weights.file import holds, load_network
from selfhvd.weights.header import read_header
from selfhvd.weights.ranges import RANGES


@dataclass(frozen=True)
class Facts:
    """Found by loading the file, so that it is whole and its network can be rebuilt."""

    path: Path
    kind: str
    """backbone, flow or features."""
    network: str
    settings: dict[str, Any]
    """The network's configuration."""
    parameters: int
    bytes: int
    sha256: str
    licence: str | None
    """None = the file does not say."""
    notes: dict[str, str]
    """Whatever else the file says about itself."""


def read_facts(path: Path) -> Facts:
    """Load a weights file and tell what it is.

    Raises:
        WeightsError: see `load_weights`.
    """
    header = read_header(path)
    kind, name = holds(path, header)
    network = load_network(path, kind)
    notes = {key: text for key, text in header.texts.items() if key not in (kind, "config", RANGES)}
    return Facts(
        path=path,
        kind=kind,
        network=name,
        settings=dataclasses.asdict(network.config),  # pyright: ignore[reportArgumentType]
        parameters=sum(math.prod(parameter.shape) for parameter in network.parameters()),
        bytes=path.stat().st_size,
        sha256=file_hash(path),
        licence=notes.pop("licence", None),
        notes=notes,
    )
