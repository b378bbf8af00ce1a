"""A table as Markdown and JSON: ours beside the paper's, means over seeds with their spread, whether orders hold."""

import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from statistics import mean, stdev

from selfhvd.method.perceptual import vgg_path
from selfhvd.research.evaluation.text import markdown
from selfhvd.research.reproduce.jobs import Site
from selfhvd.research.reproduce.measure import iqa_at_hand
from selfhvd.research.reproduce.rows import DECIMALS, HEADS, NO_TRUTH, Metric, Result, Row, Table
from selfhvd.research.reproduce.run import Findings
from selfhvd.system.versions import versions

Column = tuple[int, Metric]
"""Number of the result in its row, and one of its metrics."""


def columns_of(table: Table) -> tuple[Column, ...]:
    """Every result's metrics, as the rows have them in common."""
    found: dict[Column, None] = {}
    for row in table.rows:
        for number, result in enumerate(row.results):
            found |= {(number, metric): None for metric, _ in result.paper}
    return tuple(sorted(found, key=lambda column: column[0]))


def as_markdown(table: Table, site: Site, seeds: int, found: Findings, command: str, seconds: float) -> str:
    """The table under a paragraph that says how it was made, then orders, notes and what is missing."""
    columns = columns_of(table)
    heads = ["", *(head for column in columns for head in _heads(table, column))]
    rows = [
        [row.name, *(cell for column in columns for cell in _cells(row, column, seeds, found))] for row in table.rows
    ]
    parts = [
        f"# Table {table.number}: {table.title}",
        _made(site, seeds, command, seconds),
        markdown(heads, rows),
        *_block("The paper's orders", orders_of(table, seeds, found)),
        *_block("Notes", (*table.notes, *_how(site))),
        *_block("Missing", [f"{name}: {why}" for name, why in found.missing.items()]),
        *_block("Broken", found.faults),
    ]
    return "\n\n".join(parts) + "\n"


def as_json(table: Table, site: Site, seeds: int, found: Findings, command: str, seconds: float) -> str:
    """Everything, each seed's values included."""
    rows = [
        {
            "row": row.name,
            "results": [
                {
                    **asdict(result),
                    "paper": dict(result.paper),
                    "ours": [found.values.get((row.name, number, seed)) for seed in range(seeds)],
                }
                for number, result in enumerate(row.results)
            ],
        }
        for row in table.rows
    ]
    facts = {
        "table": table.number,
        "title": table.title,
        "command": command,
        "seconds": round(seconds),
        "small": None if site.small is None else asdict(site.small),
        "seeds": seeds,
        "rows": rows,
        "orders": list(orders_of(table, seeds, found)),
        "notes": [*table.notes, *_how(site)],
        "missing": found.missing,
        "faults": found.faults,
        "versions": versions(),
    }
    return json.dumps(facts, indent=2)


def _made(site: Site, seeds: int, command: str, seconds: float) -> str:
    where = f"{os.cpu_count()} cores ({platform.machine()})"
    with_what = ", ".join(f"{name} {number}" for name, number in versions().items())
    times = f"{seeds} seed" if seeds == 1 else f"{seeds} seeds: mean ± standard deviation"
    said = f"Made by `{command}` in {seconds / 60:.0f} min on {where}, with {with_what}; {times}."
    if site.small is None:
        return said
    size = ", ".join(f"{name} {value}" for name, value in asdict(site.small).items())
    stands = f"Small: clips by the virtual phone stand for every dataset ({size})"
    return f"{said} {stands}; the paper's numbers are for the order."


def _how(site: Site) -> Iterator[str]:
    yield "PSNR and SSIM: RGB, 8 bits, all frames, mean over clips of their means; the last step is kept."
    if site.small is not None:
        vgg = "on" if vgg_path().is_file() else "off, for VGG19 is not at hand"
        yield (
            "Networks are reduced and begin without pretrained flow, BasicVSR++ as the identity. Flow is DIS unless "
            f"the row names one. The perceptual term is {vgg}."
        )
    if not iqa_at_hand():
        yield "MUSIQ and MANIQA need the extra `iqa` (pip install '.[iqa]'), which is not installed."


def _block(title: str, lines: Sequence[str] | Iterator[str]) -> list[str]:
    said = [f"* {line}" for line in lines]
    return [f"## {title}", "\n".join(said)] if said else []


def _heads(table: Table, column: Column) -> list[str]:
    number, metric = column
    places = {row.results[number].place.name for row in table.rows if number < len(row.results)}
    where = f"{places.pop()} " if len(places) == 1 else ""
    return [f"{where}{HEADS[metric]}", "paper"]


def _cells(row: Row, column: Column, seeds: int, found: Findings) -> list[str]:
    number, metric = column
    if number >= len(row.results):
        return ["", ""]
    result = row.results[number]
    return [_ours(row, result, column, seeds, found), dict(result.paper).get(metric, "")]


def _ours(row: Row, result: Result, column: Column, seeds: int, found: Findings) -> str:
    number, metric = column
    if values := values_of(row.name, column, seeds, found):
        digits = DECIMALS[metric]
        middle = f"{mean(values.values()):.{digits}f}"
        return f"{middle} ± {stdev(values.values()):.{digits}f}" if len(values) > 1 else middle
    if f"{row.name} on {result.place.folder}" in found.missing:
        return "missing"
    if metric in NO_TRUTH and not iqa_at_hand():
        return "needs `iqa`"
    if metric in ("chosen", "agreement"):
        return "no labels"
    return "-" if any((row.name, number, seed) in found.values for seed in range(seeds)) else ""


def values_of(row: str, column: Column, seeds: int, found: Findings) -> dict[int, float]:
    """Seed to value, of those that were measured."""
    number, metric = column
    pairs = ((seed, found.values.get((row, number, seed), {}).get(metric)) for seed in range(seeds))
    return {seed: value for seed, value in pairs if value is not None}


def orders_of(table: Table, seeds: int, found: Findings) -> Iterator[str]:
    """Of each order and each column of PSNR (where there is none, of MUSIQ): for how many seeds it holds."""
    columns = columns_of(table)
    judged = [c for c in columns if c[1] == "psnr"] + [
        c for c in columns if c[1] == "musiq" and (c[0], "psnr") not in columns
    ]
    results = {row.name: row.results for row in table.rows}
    for number, metric in judged:
        for worse, better in table.orders:
            low, high = (values_of(name, (number, metric), seeds, found) for name in (worse, better))
            leads = [high[seed] - low[seed] for seed in high if seed in low]
            where = results[worse][number].place.name
            yield f"{worse} < {better} ({where}): {_held(leads, 'dB' if metric == 'psnr' else HEADS[metric])}"


def _held(leads: Sequence[float], unit: str) -> str:
    if not leads:
        return "not measured"
    held = sum(lead > 0 for lead in leads)
    spread = f" ± {stdev(leads):.2f}" if len(leads) > 1 else ""
    return f"holds for {held} of {len(leads)} seeds, by {mean(leads):+.2f}{spread} {unit}"
