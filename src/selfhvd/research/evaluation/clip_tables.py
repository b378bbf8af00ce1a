"""How the evaluation of one clip is shown: on a terminal, as JSON, CSV and Markdown; each says how it was made."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from selfhvd.metrics import Definition
from selfhvd.research.evaluation.one_clip import Evaluation
from selfhvd.research.evaluation.scores import GroupScores
from selfhvd.research.evaluation.text import FACTS, as_csv, commented, facts, how_measured, in_words, markdown

FILES = ("frames.csv", "clip.csv", "evaluation.json", "evaluation.md")


def tables(evaluation: Evaluation) -> dict[str, str]:
    """File name to text: everything that `--out` writes."""
    return dict(zip(FILES, (form(evaluation) for form in (frames_csv, clip_csv, as_json, as_markdown)), strict=True))


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
    return json.dumps({**asdict(evaluation), "definitions": [facts(d) for d in evaluation.definitions]}, indent=2)


def frames_csv(evaluation: Evaluation) -> str:
    """A row for each frame, under comment lines (`# `) with the definitions; an empty cell where there is no value."""
    columns = [d for d in evaluation.definitions if any(d.name in frame.values for frame in evaluation.frames)]
    rows = [
        [frame.index, "" if frame.sharp is None else int(frame.sharp), *(frame.values.get(d.name, "") for d in columns)]
        for frame in evaluation.frames
    ]
    comments = [_clips(evaluation), *map(in_words, columns), *evaluation.notes]
    return commented(comments) + as_csv(["frame", "sharp", *(d.name for d in columns)], rows)


def clip_csv(evaluation: Evaluation) -> str:
    """A row for each metric and group of frames, the definition beside the value."""
    rows = [
        [evaluation.result, group.name, group.frames, group.values[d.name], *facts(d).values()]
        for d in evaluation.definitions
        for group in evaluation.groups
        if d.name in group.values
    ]
    return as_csv(["clip", "frames", "count", "value", *FACTS], rows)


def as_markdown(evaluation: Evaluation) -> str:
    """The means, and a second table that says how they were made."""
    heads = ["", *map(_heading, evaluation.groups), "better"]
    rows = [[d.title, *_cells(d, evaluation.groups), d.better] for d in evaluation.definitions]
    parts = [
        f"# {_title(evaluation)}",
        _clips(evaluation),
        markdown(heads, rows),
        "\n".join(f"* {note}" for note in evaluation.notes),
        how_measured(evaluation.definitions, evaluation.versions),
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
