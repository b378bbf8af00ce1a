"""How an evaluation is shown: on a terminal, as JSON, CSV and Markdown. Every form says how its numbers were made."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from selfhvd.errors import OutputError
from selfhvd.evaluation import Evaluation, GroupScores
from selfhvd.metrics import Definition
from selfhvd.report.aside import write_aside

_FACTS = ("metric", "better", "formula", "version", "colour", "borders", "averaging")


def tables(evaluation: Evaluation) -> dict[str, str]:
    """File name to text: everything that `--out` writes."""
    return {
        "frames.csv": frames_csv(evaluation),
        "clip.csv": clip_csv(evaluation),
        "evaluation.json": as_json(evaluation),
        "evaluation.md": as_markdown(evaluation),
    }


FILES = ("frames.csv", "clip.csv", "evaluation.json", "evaluation.md")


def prepare_folder(folder: Path, *, overwrite: bool) -> None:
    """Make `folder`; refuse at once what could not be written after the long measuring.

    Raises:
        OutputError: it is no folder, or holds an earlier evaluation.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = [name for name in FILES if (folder / name).exists()]
    except OSError as error:
        raise OutputError(f"{folder} cannot be used as a folder ({error.strerror}).") from error
    if there and not overwrite:
        raise OutputError(f"{folder / there[0]} exists; choose another --out or add --overwrite.")


def write_tables(folder: Path, evaluation: Evaluation) -> None:
    """Write all forms into `folder`, each whole or not at all."""
    for name, text in tables(evaluation).items():
        write_aside(folder / name, text.encode())


def as_table(evaluation: Evaluation) -> Table:
    """A row for each metric, a column for each group of frames."""
    table = Table("", title=_title(evaluation), title_justify="left")
    for group in evaluation.groups:
        table.add_column(_heading(group), justify="right")
    table.add_column("better")
    for definition in evaluation.definitions:
        table.add_row(definition.title, *_cells(definition, evaluation.groups), definition.better)
    return table


def as_json(evaluation: Evaluation) -> str:
    """Everything, definitions included."""
    return json.dumps({**asdict(evaluation), "definitions": [_facts(d) for d in evaluation.definitions]}, indent=2)


def frames_csv(evaluation: Evaluation) -> str:
    """A row for each frame, under comment lines (`# `) with the definitions; an empty cell where there is no value."""
    columns = [d for d in evaluation.definitions if any(d.name in frame.values for frame in evaluation.frames)]
    rows = [
        [frame.index, "" if frame.sharp is None else int(frame.sharp), *(frame.values.get(d.name, "") for d in columns)]
        for frame in evaluation.frames
    ]
    comments = [_clips(evaluation), *(f"{d.name}: {_in_words(d)}" for d in columns), *evaluation.notes]
    return "".join(f"# {' '.join(line.split())}\n" for line in comments) + _csv(
        ["frame", "sharp", *(d.name for d in columns)], rows
    )


def clip_csv(evaluation: Evaluation) -> str:
    """A row for each metric and group of frames, the definition beside the value."""
    rows = [
        [evaluation.result, group.name, group.frames, group.values[d.name], *_facts(d).values()]
        for d in evaluation.definitions
        for group in evaluation.groups
        if d.name in group.values
    ]
    return _csv(["clip", "frames", "count", "value", *_FACTS], rows)


def as_markdown(evaluation: Evaluation) -> str:
    """The means, and a second table that says how they were made."""
    heads = ["", *map(_heading, evaluation.groups), "better"]
    rows = [[d.title, *_cells(d, evaluation.groups), d.better] for d in evaluation.definitions]
    facts = [[d.title, d.formula, d.version, d.colour, d.borders, d.averaging] for d in evaluation.definitions]
    parts = [
        f"# {_title(evaluation)}",
        _clips(evaluation),
        _markdown(heads, rows),
        "\n".join(f"* {note}" for note in evaluation.notes),
        "## How these were measured",
        _markdown(["metric", "definition", "made with", "colour", "borders", "averaging"], facts),
        ", ".join(f"{name} {number}" for name, number in evaluation.versions.items()),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _title(evaluation: Evaluation) -> str:
    name = Path(evaluation.result).name
    return f"{name}: {len(evaluation.frames)} frames, {evaluation.width}x{evaluation.height}"


def _clips(evaluation: Evaluation) -> str:
    named = (("result", evaluation.result), ("truth", evaluation.truth), ("input", evaluation.input))
    return "; ".join(f"{role}: {path or 'none'}" for role, path in named)


def _heading(group: GroupScores) -> str:
    return f"{group.name} ({group.frames})"


def _cells(definition: Definition, groups: Iterable[GroupScores]) -> list[str]:
    values = [group.values.get(definition.name) for group in groups]
    return ["" if value is None else f"{value:.{definition.decimals}f}" for value in values]


def _facts(definition: Definition) -> dict[str, str]:
    return {
        "metric": definition.name,
        "better": definition.better,
        "formula": definition.formula,
        "version": definition.version,
        "colour": definition.colour,
        "borders": definition.borders,
        "averaging": definition.averaging,
    }


def _in_words(d: Definition) -> str:
    return f"{d.formula}. With {d.version}. Colour: {d.colour}. Borders: {d.borders}. Averaging: {d.averaging}."


def _csv(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    return text.getvalue()


def _markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
