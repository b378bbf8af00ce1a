"""Camera poses from a file, and how fast they move (Eq. C)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from selfhvd.errors import InputError

Quaternion = Literal["xyzw", "wxyz"]
"""Order of a quaternion's numbers: TUM's, and that of MonST3R."""
_WORDS = {"xyzw": "qx qy qz qw", "wxyz": "qw qx qy qz"}
_UNIT_WITHIN = 0.05
"""How far a rotation's quaternion may be from length 1."""


@dataclass(frozen=True)
class Poses:
    """Camera to world, one a frame."""

    times: Float[np.ndarray, " frame"]
    """Seconds, or whatever the file counts in."""
    positions: Float[np.ndarray, "frame xyz=3"]
    """In the trajectory's own scale."""
    rotations: Float[np.ndarray, "frame xyzw=4"]
    """Unit quaternions."""

    def speed(self) -> Float[np.ndarray, " frame"]:
        """d_t = |ω_t| + |v_t| (Eq. C) from one pose to the next, the last one's as the one before it.

        ω_t in radians and v_t in the trajectory's own scale, both by the unit of time; they are added as they are.
        """
        interval = np.diff(self.times)
        rotations = Rotation.from_quat(self.rotations)
        turned = (rotations[:-1].inv() * rotations[1:]).magnitude()
        moved = np.linalg.norm(np.diff(self.positions, axis=0), axis=1)
        speed = (turned + moved) / interval
        return np.append(speed, speed[-1])


def read_poses(path: Path, quaternion: Quaternion = "xyzw") -> Poses:
    """Read a TUM file: lines `timestamp tx ty tz qx qy qz qw`, comments after `#`.

    Args:
        path: the file.
        quaternion: `wxyz` for MonST3R's pred_traj.txt.

    Raises:
        InputError: a line is something else, or there are fewer than two.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a trajectory ({error}).") from error
    rows: list[list[float]] = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if words:
            rows.append(_row(words, f"{path} line {number}", quaternion, rows[-1][0] if rows else None))
    if len(rows) < 2:
        raise InputError(f"{path} holds {len(rows)} poses; a motion needs at least two.")
    table = np.array(rows)
    last = table[:, 4:] if quaternion == "xyzw" else np.roll(table[:, 4:], -1, axis=1)
    return Poses(table[:, 0], table[:, 1:4], last / np.linalg.norm(last, axis=1, keepdims=True))


def _row(words: list[str], where: str, quaternion: Quaternion, before: float | None) -> list[float]:
    """The eight numbers of a line that may follow a line of time `before`."""
    wanted = f"a line is `timestamp tx ty tz {_WORDS[quaternion]}`"
    try:
        row = [float(word) for word in words]
    except ValueError:
        raise InputError(f"{where} holds something that is no number; {wanted}.") from None
    if len(row) != 8:
        raise InputError(f"{where} holds {len(row)} numbers; {wanted}.")
    if not np.isfinite(row).all():
        raise InputError(f"{where} holds a number that is not finite; {wanted}.")
    if abs(float(np.linalg.norm(row[4:])) - 1) > _UNIT_WITHIN:
        raise InputError(f"{where}: the quaternion has not length 1, so it is no rotation; {wanted}.")
    if before is not None and row[0] <= before:
        raise InputError(f"{where}: time does not go forward from {before:g} to {row[0]:g}; sort the lines.")
    return row
