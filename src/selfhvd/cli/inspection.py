"""How the result of `inspect` is shown: a table, JSON, a plot."""

import io
import math
from pathlib import Path

from rich.table import Table

from selfhvd.extensions.selection import Selection
from selfhvd.report.plot import sharpness_plot
from selfhvd.system.atomic import write_aside
from selfhvd.video import Footage

_ROWS = 400
"""Longer clips show their chosen frames only."""


def inspection_table(footage: Footage, selection: Selection) -> Table:
    """Frame, time, blur, sharpness, whether and why it was chosen, and what `selfhvd deblur` does with it."""
    title = f"{len(footage)} frames, {footage.width}x{footage.height}; {len(selection.sharp)} chosen as sharp"
    if selection.noisy:
        title += "; noisy" + (", so scores look at half the size" if selection.halved else "")
    if selection.cuts:
        title += f"; {len(selection.cuts) + 1} scenes, cut before frame {', '.join(map(str, selection.cuts))}"
    columns = ("frame", "seconds", "blur, px", "sharpness", "score", "chosen", "deblur")
    table = Table(*columns, title=title, title_justify="left")
    rows = range(len(footage)) if len(footage) <= _ROWS else selection.sharp
    left = selection.left("auto")
    for i in rows:
        numbers = (in_pixels(selection.blur[i]), f"{selection.sharpness[i]:.1f}", f"{selection.scores[i]:.1f}")
        done = "leaves it" if left[i] else "restores it"
        table.add_row(str(i), f"{float(footage.seconds(i)):.3f}", *numbers, reason(selection, i), done)
    return table


def in_pixels(length: float) -> str:
    """A length of blur for people."""
    return f"{length:.1f}" if math.isfinite(length) else "not told"


def reason(selection: Selection, index: int) -> str:
    """Why frame `index` was chosen as sharp; nothing where it was not."""
    if index not in selection.sharp:
        return ""
    if selection.named:
        return "named as sharp"
    if index in selection.by_segment:
        return "blurred, but among the best"
    return "above the threshold" if selection.rule == "otsu" else "not blurred"


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
        "noise": selection.noise,
        "halved": selection.halved,
        "rule": selection.rule,
        "blur": [length if math.isfinite(length) else None for length in selection.blur],
        "reasons": [reason(selection, i) for i in range(len(footage))],
        "left": list(selection.left("auto")),
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
