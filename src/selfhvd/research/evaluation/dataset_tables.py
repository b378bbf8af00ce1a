"""How the evaluation of a dataset is shown: on a terminal, as JSON, CSV and Markdown; each says how it was made."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from rich.table import Column, Table

from selfhvd.metrics import Definition
from selfhvd.research.evaluation.dataset import DatasetEvaluation, MeanScores
from selfhvd.research.evaluation.text import as_csv, commented, facts, how_measured, in_words, markdown

FILES = ("frames.csv", "clips.csv", "means.csv", "evaluation.json", "evaluation.md")
OVER = {
    "clips": "mean over clips: the mean of the clips' own numbers, so a long clip counts as much as a short one",
    "frames": "mean over frames: every frame of every clip counts alike",
}
"""What the two means are."""
TOLD_BY = {
    "label": "by the clip's label: sharp = made of a single sub-frame (n_i = 1)",
    "find_sharp": "by find_sharp on the input: sharp = above Otsu's threshold on v_l",
}
"""What says which frames are sharp."""

_ON_TERMINAL = ("psnr", "ssim", "lpips", "drift", "flicker_ratio", "sharp_accuracy")


def tables(evaluation: DatasetEvaluation) -> dict[str, str]:
    """File name to text: everything that `--out` writes."""
    forms = (frames_csv, clips_csv, means_csv, as_json, as_markdown)
    return dict(zip(FILES, (form(evaluation) for form in forms), strict=True))


def clip_table(evaluation: DatasetEvaluation) -> Table:
    """A row for each clip, over all its frames; not all metrics, for a terminal is narrow."""
    columns = [d for d in evaluation.definitions if d.name in _ON_TERMINAL]
    heads = [Column(d.name.replace("_", " "), justify="right") for d in columns]
    table = Table("clip", "frames", *heads, title=_title(evaluation), title_justify="left")
    for clip in evaluation.clips:
        table.add_row(clip.clip, str(clip.groups[0].frames), *_cells(columns, clip.groups[0].values))
    return table


def mean_table(evaluation: DatasetEvaluation) -> Table:
    """A row for each metric, a column for each mean."""
    table = Table("mean")
    for mean in evaluation.means:
        table.add_column(_heading(mean).replace(": ", "\n"), justify="right")
    for name, *cells, _ in _mean_rows(evaluation):
        table.add_row(name, *cells)
    return table


def as_json(evaluation: DatasetEvaluation) -> str:
    """Everything, definitions included."""
    record = {**asdict(evaluation), "definitions": [facts(d) for d in evaluation.definitions], "over": OVER}
    return json.dumps({**record, "told_by": TOLD_BY}, indent=2)


def frames_csv(evaluation: DatasetEvaluation) -> str:
    """A row for each frame, under comment lines (`# `) with the definitions; an empty cell where there is no value."""
    names = [d.name for d in evaluation.definitions if _in_frames(evaluation, d)]
    rows = [
        [clip.clip, frame.index, int(bool(frame.sharp)), *(frame.values.get(name, "") for name in names)]
        for clip in evaluation.clips
        for frame in clip.frames
    ]
    return _comments(evaluation, *TOLD_BY.values()) + as_csv(["clip", "frame", "sharp", *names], rows)


def clips_csv(evaluation: DatasetEvaluation) -> str:
    """A row for each clip and group of its frames: the clip's own means."""
    names = [d.name for d in evaluation.definitions]
    rows = [
        [clip.clip, clip.told_by, scores.name, scores.frames, *(scores.values.get(name, "") for name in names)]
        for clip in evaluation.clips
        for scores in clip.groups
    ]
    return _comments(evaluation, *TOLD_BY.values()) + as_csv(["clip", "told_by", "group", "frames", *names], rows)


def means_csv(evaluation: DatasetEvaluation) -> str:
    """A row for each mean."""
    names = [d.name for d in evaluation.definitions]
    rows = [[m.over, m.group, m.clips, m.frames, *(m.values.get(n, "") for n in names)] for m in evaluation.means]
    return _comments(evaluation, *OVER.values()) + as_csv(["over", "group", "clips", "frames", *names], rows)


def as_markdown(evaluation: DatasetEvaluation) -> str:
    """The means, the clips' own numbers, what is missing, and how all of it was made."""
    heads = ["", *map(_heading, evaluation.means), "better"]
    clips = [
        [clip.clip, scores.name, str(scores.frames), *_cells(evaluation.definitions, scores.values)]
        for clip in evaluation.clips
        for scores in clip.groups
    ]
    told = dict.fromkeys(TOLD_BY[clip.told_by] for clip in evaluation.clips)
    parts = [
        f"# {_title(evaluation)}",
        _about(evaluation),
        markdown(heads, _mean_rows(evaluation)),
        _bullets((*OVER.values(), *(f"blurry and sharp are told apart {how}" for how in told), *evaluation.notes)),
        "## Clips",
        markdown(["clip", "group", "frames", *(d.title for d in evaluation.definitions)], clips),
        *(("## Not measured", _bullets(evaluation.faults)) if evaluation.faults else ()),
        how_measured(evaluation.definitions, evaluation.versions),
    ]
    return "\n\n".join(parts) + "\n"


def _title(evaluation: DatasetEvaluation) -> str:
    frames = sum(len(clip.frames) for clip in evaluation.clips)
    return f"{evaluation.dataset}: {_counted(len(evaluation.clips), 'clips')}, {_counted(frames, 'frames')}"


def _about(evaluation: DatasetEvaluation) -> str:
    where = f"layout {evaluation.layout}, part {evaluation.part or 'all'}"
    return f"dataset: {evaluation.dataset} ({where}); outputs: {evaluation.outputs}; rounded to 8 bits"


def _comments(evaluation: DatasetEvaluation, *more: str) -> str:
    faults = (f"not measured: {fault}" for fault in evaluation.faults)
    return commented((_about(evaluation), *map(in_words, evaluation.definitions), *more, *evaluation.notes, *faults))


def _heading(mean: MeanScores) -> str:
    """`blurry: 2 clips`, `blurry: 28 frames`: of which frames, over how many of what."""
    return f"{mean.group}: {_counted(mean.clips if mean.over == 'clips' else mean.frames, mean.over)}"


def _counted(count: int, things: str) -> str:
    return f"{count} {things if count != 1 else things.removesuffix('s')}"


def _mean_rows(evaluation: DatasetEvaluation) -> list[list[str]]:
    return [[d.title, *(_cell(d, mean.values) for mean in evaluation.means), d.better] for d in evaluation.definitions]


def _in_frames(evaluation: DatasetEvaluation, definition: Definition) -> bool:
    return any(definition.name in frame.values for clip in evaluation.clips for frame in clip.frames)


def _cells(definitions: Iterable[Definition], values: dict[str, float]) -> list[str]:
    return [_cell(d, values) for d in definitions]


def _cell(definition: Definition, values: dict[str, float]) -> str:
    value = values.get(definition.name)
    return "" if value is None else f"{value:.{definition.decimals}f}"


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"* {line}" for line in lines)
