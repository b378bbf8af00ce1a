"""A look at a clip: `python -m selfhvd.web.look CLIP FOLDER [--head]`, in a child, for clips are other people's files.

Writes FOLDER/facts.json and FOLDER/poster.jpg; then FOLDER/look.json, which grows: what a run would take by each
preset, then how blurred each frame is. With `--head` only the first two.
"""

import json
import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from selfhvd.errors import SelfHVDError
from selfhvd.system.atomic import write_aside
from selfhvd.video import Frame, Limits, Probe, ingest, probe
from selfhvd.video.footage import frame_path
from selfhvd.video.frame_file import read_frame
from selfhvd.web.folder import JobFolder
from selfhvd.web.pictures import jpeg

_POSTER = 960
"""Pixels of the longer side."""
_HARDEST = 5
"""Seconds of the stretch that is offered to try things on."""


def main(words: Sequence[str]) -> int:
    """Look at a clip; a fault is the last line, as of every command with `--progress json`."""
    source, folder, head = Path(words[0]), JobFolder(Path(words[1])), "--head" in words
    try:
        look = _Look(source, folder)
        look.head()
        if not head:
            look.forecasts()
            look.curve()
    except SelfHVDError as error:
        _line(error=str(error), exit_code=error.exit_code)
        return error.exit_code
    return 0


@dataclass
class _Look:
    source: Path
    folder: JobFolder
    found: dict[str, object] = field(default_factory=dict[str, object])

    def head(self) -> None:
        """What the clip says of itself, and its first frame."""
        head = probe(self.source)
        write_aside(self.folder.facts, json.dumps(_facts(head, self.source)).encode())
        picture = first_picture(self.source)
        if picture is not None:
            write_aside(self.folder.poster, jpeg(picture))

    def forecasts(self) -> None:
        """Disk and time by each preset; the machine is timed once, for they differ only in how much is done."""
        from selfhvd.forecast.forecast import forecast
        from selfhvd.forecast.pace import measure_pace
        from selfhvd.run.config import PRESETS, preset_config
        from selfhvd.web.runner import destination_name

        destination = self.folder.output / destination_name(self.source)
        pace = measure_pace(preset_config("fast"))
        found = {
            preset: forecast(self.source, destination, preset_config(preset), pace, keep_work=True, workers=None)
            for preset in PRESETS
        }
        self._keep(forecasts={
            preset: {"seconds": it.seconds, "disk": it.room.total, "stays": it.stays, "free": it.free,
                     "notes": it.notes, "codec": it.codec}
            for preset, it in found.items()
        })  # fmt: skip

    def curve(self) -> None:
        """How blurred each frame is, and the stretch that is hardest."""
        from selfhvd.extensions.selection import SharpConfig
        from selfhvd.run.preview import hardest, measure_blur

        blur = measure_blur(self.source, on_progress=lambda stage, done, total: _line(
            stage=stage, done=done, total=total or None, eta_s=None))  # fmt: skip
        part = hardest(blur.times, blur.lengths, Fraction(_HARDEST)).part
        self._keep(
            curve={
                "times": [round(float(time), 4) for time in blur.times],
                "blur": [round(length, 2) if math.isfinite(length) else None for length in blur.lengths],
                "blurred_above": SharpConfig().blurred_above,
                "hardest": [float(part.start), float(part.end or 0)],
            }
        )

    def _keep(self, **found: object) -> None:
        self.found |= found
        write_aside(self.folder.look, json.dumps(self.found).encode())


def _facts(head: Probe, source: Path) -> dict[str, Any]:
    """For people; and the size of the file."""
    names = ("width", "height", "frames", "stated", "codec", "depth", "seconds")
    size = source.stat().st_size if source.is_file() else 0
    return {**{name: getattr(head, name) for name in names}, "bytes": size}


class _Seen(Exception):  # noqa: N818 - nothing went wrong
    """The first frame is there."""


def first_picture(source: Path) -> Frame | None:
    """The first frame of a clip, upright and reduced; None where none comes."""

    def look(done: int, total: int | None) -> None:
        raise _Seen

    with tempfile.TemporaryDirectory(prefix="selfhvd-poster-") as work:
        try:
            ingest(source, Path(work), on_frame=look, limits=Limits(longest=_POSTER, ahead=1))
        except _Seen:
            return read_frame(frame_path(Path(work), 0))
    return None


def _line(**fields: object) -> None:
    sys.stderr.write(json.dumps(fields) + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
