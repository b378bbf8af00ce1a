"""Tables as text, and definitions in words."""

import csv
import io
from collections.abc import Iterable, Sequence

from selfhvd.metrics import Definition

FACTS = ("metric", "better", "formula", "version", "colour", "borders", "averaging")


def facts(definition: Definition) -> dict[str, str]:
    """What a reader must know of a metric."""
    return {"metric": definition.name} | {name: getattr(definition, name) for name in FACTS[1:]}


def in_words(d: Definition) -> str:
    """The same in one line."""
    said = f"{d.formula}. With {d.version}. Colour: {d.colour}. Borders: {d.borders}. Averaging: {d.averaging}."
    return f"{d.name}: {said}"


def how_measured(definitions: Iterable[Definition], versions: dict[str, str]) -> str:
    """The part of a Markdown file that says how its numbers were made."""
    heads = ["metric", "definition", "made with", "colour", "borders", "averaging"]
    rows = [[d.title, d.formula, d.version, d.colour, d.borders, d.averaging] for d in definitions]
    installed = ", ".join(f"{name} {number}" for name, number in versions.items())
    return "\n\n".join(("## How these were measured", markdown(heads, rows), installed))


def commented(lines: Iterable[str]) -> str:
    """Lines that stand above a CSV table, each after `# `."""
    return "".join(f"# {' '.join(line.split())}\n" for line in lines)


def as_csv(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Comma-separated values under their names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    return text.getvalue()


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
