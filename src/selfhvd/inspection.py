"""How the result of `inspect` is shown: a table, JSON, a plot."""

import io
from pathlib import Path

from rich.table import Table

from selfhvd.method.sharp import Selection
from selfhvd.report.aside import write_aside
from selfhvd.report.plot import sharpness_plot
from selfhvd.video import Footage

_ROWS = 400
"""Longer clips show their chosen frames only."""


def inspection_table(footage: Footage, selection: Selection) -> Table:
    """Frame, time, sharpness, and a mark on the chosen ones."""
    title = f"{len(footage)} frames, {footage.width}x{footage.height}; {len(selection.sharp)} chosen as sharp"
    if selection.noisy:
        title += "; noisy" + (", so sharpness is measured at half the size" if selection.halved else "")
    if selection.cuts:
        title += f"; {len(selection.cuts) + 1} scenes, cut before frame {', '.join(map(str, selection.cuts))}"
    table = Table("frame", "seconds", "sharpness", "score", "chosen", title=title, title_justify="left")
    rows = range(len(footage)) if len(footage) <= _ROWS else selection.sharp
    for i in rows:
        chosen = "best of its segment" if i in selection.by_segment else "sharp" if i in selection.sharp else ""
        seconds = f"{float(footage.seconds(i)):.3f}"
        table.add_row(str(i), seconds, f"{selection.sharpness[i]:.1f}", f"{selection.scores[i]:.1f}", chosen)
    return table


def inspection_json(footage: Footage, selection: Selection) -> dict[str, object]:
    """The same facts as plain data."""
    return {
        "source": str(footage.source),
        "frames": len(footage),
        "width": footage.width,
        "height": footage.height,
        "verdict": selection.verdict,
        "sharp_ratio": selection.ratio,
        "noisy": selection.noisy,
        "halved": selection.halved,
        "threshold": selection.threshold,
        "sharpness": list(selection.sharpness),
        "scores": list(selection.scores),
        "sharp": list(selection.sharp),
        "by_segment": list(selection.by_segment),
        "cuts": list(selection.cuts),
        "seconds": [float(footage.seconds(i)) for i in range(len(footage))],
        "warnings": list(footage.warnings),
    }


def save_plot(path: Path, selection: Selection) -> None:
    """Draw sharpness over time into a PNG file."""
    picture = io.BytesIO()
    sharpness_plot(selection).save(picture, format="PNG")
    write_aside(path, picture.getvalue())
