"""What is known of a made clip, in one JSON file beside its frames."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from selfhvd.errors import InputError, UsageError
from selfhvd.synthesis.exact_flow import exact_flow


@dataclass(frozen=True)
class ClipLabel:
    """Truth about a made clip that is not a picture."""

    kind: str
    """What the virtual phone filmed, or `goproshake`."""
    height: int
    """Pixels."""
    width: int
    counts: tuple[int, ...]
    """n_i of each frame; 1 = sharp."""
    scenes: tuple[int, ...]
    """Number of the scene that each frame shows."""
    matrices: tuple[tuple[tuple[tuple[float, ...], ...], ...], ...]
    """`frame layer rows 3`, from view to picture pixels; see `Exposure.matrices`."""
    keyframes: tuple[int, ...] = ()
    """Frames that the encoder made key frames; none where the frames were not coded."""
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    """Where the clip comes from and how it was made."""

    def flow(self, first: int, second: int, layer: int = 0) -> Float[Tensor, "xy=2 height width"]:
        """Exact flow of a layer (0 = background) from the truth of one frame into that of another.

        Raises:
            UsageError: the frames show different scenes, or the motion is not known.
        """
        if self.scenes[first] != self.scenes[second]:
            raise UsageError(f"frames {first} and {second} show different scenes: no flow joins them.")
        if not self.matrices[first]:
            raise UsageError(f"the exact motion of a {self.kind} clip is not known.")
        start, end = (np.array(self.matrices[i][layer]) for i in (first, second))
        return exact_flow(start, end, self.height, self.width)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "ClipLabel":
        """Read what `save` wrote; `InputError` if it is something else."""
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{name: as_tuples(value) for name, value in record.items()})
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is no label of a made clip; make the clip again.") from error


def as_tuples(value: Any) -> Any:  # noqa: ANN401 - JSON in, any field out
    """Lists, however deep, as tuples."""
    return tuple(as_tuples(item) for item in value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]
