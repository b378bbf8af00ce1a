"""The tables as Markdown: means over seeds with their spread, and whether the paper's orders hold."""

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from statistics import mean, stdev

from selfhvd.research.benchmark.rows import Row, Table
from selfhvd.research.benchmark.run import Scores
from selfhvd.research.benchmark.size import Size
from selfhvd.research.benchmark.trial import Score
from selfhvd.system.versions import versions

_HEAD = "| | seeds | PSNR, dB | over input | SSIM | PSNR of sharp frames | drift, px | seconds | paper, dB |"
_RULE = "|---|---|---|---|---|---|---|---|---|"


def as_markdown(tables: Sequence[Table], size: Size, scores: Scores, command: str, seconds: float) -> str:
    """All tables, under a paragraph that says how they were made."""
    made = (
        f"Made by `{command}` in {seconds / 60:.0f} min on {os.cpu_count()} cores ({platform.machine()}), with "
        + ", ".join(f"{name} {number}" for name, number in versions().items())
        + "."
    )
    how = (
        "Synthetic handheld clips, one for each seed; PSNR (RGB, 8 bits) and SSIM are means over the blurry frames of a"
        " clip (more than one instant averaged), then over the seeds, ± their standard deviation. Every row that learns"
        " takes the same steps on the same network; the last step is kept and no truth is looked at. The paper's column"
        " is BasicVSR++ on GoProShake, for the order only."
    )
    said = "Size: " + ", ".join(f"{name} {value}" for name, value in asdict(size).items()) + "."
    return "\n\n".join([made, how, said, *(_table(table, size, scores) for table in tables)]) + "\n"


def _table(table: Table, size: Size, scores: Scores) -> str:
    seeds = size.seeds if table.every_seed else size.seeds[:1]
    lines = [f"### {table.title}", "", _HEAD, _RULE, *(_line(row, seeds, scores) for row in table.rows)]
    orders = [_order(table, worse, better, seeds, scores) for worse, better in table.orders]
    return "\n".join(lines + (["", *orders] if orders else []))


def _line(row: Row, seeds: Sequence[int], scores: Scores) -> str:
    found = [score for seed in seeds if (score := scores.get((row.setup, seed))) is not None]
    if not found:
        return f"| {row.name} | - | its weights are not at hand | | | | | | {row.paper} |"
    gains = [score.psnr - base.psnr for seed in seeds if (score := scores.get((row.setup, seed))) is not None
             and (base := _input(seed, scores)) is not None]  # fmt: skip
    cells = [
        str(len(found)),
        _spread(found, lambda s: s.psnr, 2),
        f"{mean(gains):+.2f}" if gains else "",
        _spread(found, lambda s: s.ssim, 4),
        _spread(found, lambda s: s.sharp_psnr, 2),
        _spread(found, lambda s: s.drift, 3),
        f"{mean(s.seconds for s in found):.0f}",
        row.paper,
    ]
    return f"| {row.name} | " + " | ".join(cells) + " |"


def _input(seed: int, scores: Scores) -> Score | None:
    return next((score for (setup, s), score in scores.items() if setup.method == "input" and s == seed), None)


def _spread(scores: Sequence[Score], of: Callable[[Score], float], digits: int) -> str:
    values = [of(score) for score in scores]
    middle = f"{mean(values):.{digits}f}"
    return f"{middle} ± {stdev(values):.{digits}f}" if len(values) > 1 else middle


def _order(table: Table, worse: str, better: str, seeds: Sequence[int], scores: Scores) -> str:
    setups = {row.name: row.setup for row in table.rows}
    leads = [
        high.psnr - low.psnr
        for seed in seeds
        if (high := scores.get((setups[better], seed))) is not None
        and (low := scores.get((setups[worse], seed))) is not None
    ]
    if not leads:
        return f"* {worse} < {better}: not measured"
    held = sum(lead > 0 for lead in leads)
    spread = f" ± {stdev(leads):.2f}" if len(leads) > 1 else ""
    return f"* {worse} < {better}: holds for {held} of {len(leads)} seeds, by {mean(leads):+.2f}{spread} dB"
