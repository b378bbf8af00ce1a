"""The tables of docs/results.md, from the rows of docs/data.

    python bench/results.py                                   # write the tables between their markers
    python bench/results.py --check                           # exit code 1 where they are not those of the rows
    python bench/results.py --quality OUT.jsonl... --date 2026-11-29 --commit 1a2b3c4
    python bench/results.py --real samsung_motion_photo=OUT/frames.jsonl --date 2026-11-29 --commit 1a2b3c4

`--quality` takes the rows that bench/quality.py wrote in place of all rows of the same kind and preset, `--real` those
that bench/real.py wrote of one clip; both then write the tables. A row has what was measured and nothing else.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median

DOCS = Path(__file__).parents[1] / "docs"
KINDS = ("plain", "object", "night", "all-blurry", "sharp")
PRESETS = ("fast", "balanced", "best")

Row = dict[str, object]


def read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def write(path: Path, rows: list[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def known(rows: list[Row], name: str) -> list[float]:
    """The values of a field, or of the difference of two (`a-b`), of those rows that have them."""
    values = [_value(row, name) for row in rows]
    return [value for value in values if not math.isnan(value)]


def _value(row: Row, name: str) -> float:
    if "-" in name:
        minuend, subtrahend = (_value(row, part) for part in name.split("-"))
        return minuend - subtrahend
    value = row.get(name)
    return math.nan if value is None else float(value)  # pyright: ignore[reportArgumentType]


def cell(rows: list[Row], name: str, how: Callable[[list[float]], float] = mean, form: str = ".2f") -> str:
    """One number of several rows, or a dash."""
    values = known(rows, name)
    return f"{how(values):{form}}" if values else "-"


def gain_of_sharp(rows: list[Row]) -> str:
    """Rows copied from older tables have the difference alone."""
    name = "sharp_result-sharp_input"
    return cell(
        [{"gain": _value(r, name) if known([r], name) else r.get("sharp_gain")} for r in rows], "gain", mean, "+.2f"
    )


def with_input(rows: list[Row], name: str, how: Callable[[list[float]], float], form: str) -> str:
    before = cell(rows, f"input_{name}", how, form)
    return cell(rows, name, how, form) + ("" if before == "-" else f" ({before})")


def table(head: list[str], lines: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines])


def quality_table(rows: list[Row]) -> str:
    head = [
        "kind", "clips", "blurry: input, dB", "result", "gain", "over composite", "worst frame", "sharp: gain",
        "drift, px (input's)", "flicker (input's)",
    ]  # fmt: skip
    lines: list[list[str]] = []
    for kind in KINDS:
        here = [row for row in rows if row["kind"] == kind and row["preset"] == "fast"]
        if here:
            lines.append([
                kind, str(len(here)), cell(here, "blurry_input"), cell(here, "blurry_result"),
                cell(here, "blurry_result-blurry_input", mean, "+.2f"),
                cell(here, "blurry_result-blurry_composite", mean, "+.2f"),
                cell(here if known(here, "blurry_input") else [], "worst_blurry", min, "+.2f"), gain_of_sharp(here),
                with_input(here, "drift", median, ".3f"), with_input(here, "flicker", mean, ".2f"),
            ])  # fmt: skip
    return table(head, lines) + "\n\n" + source([row for row in rows if row["preset"] == "fast"])


def presets_table(rows: list[Row]) -> str:
    """Each preset on the clips that all presets were measured on."""
    of = {preset: {(row["kind"], row["clip"]) for row in rows if row["preset"] == preset} for preset in PRESETS}
    shared = set.intersection(*of.values())
    head = ["preset", "clips", "blurry: result, dB", "gain", "sharp: gain", "drift, px", "flicker", "seconds a clip"]
    lines: list[list[str]] = []
    for preset in PRESETS:
        here = [row for row in rows if row["preset"] == preset and (row["kind"], row["clip"]) in shared]
        lines.append([
            f"`{preset}`", str(len(here)), cell(here, "blurry_result"),
            cell(here, "blurry_result-blurry_input", mean, "+.2f"), gain_of_sharp(here),
            cell(here, "drift", median, ".3f"), cell(here, "flicker"), cell(here, "seconds", mean, ".0f"),
        ])  # fmt: skip
    return table(head, lines)


def real_table(rows: list[Row]) -> str:
    head = ["clip", "blurry frames", "before", "result", "frames at 0.8 or more"]
    lines = [
        [str(r["clip"]), str(r["frames"]), f"{r['before']:.3f}", f"{r['result']:.3f}", f"{r['reach']:.0%}"]
        for r in rows
    ]
    return table(head, lines) + "\n\n" + source(rows)


def source(rows: list[Row]) -> str:
    """When the rows were measured, and with which code."""
    dates = sorted({str(row["date"]) for row in rows if "date" in row})
    commits = sorted({str(row["commit"]) for row in rows if "commit" in row})
    words = f"Measured {' and '.join(dates)}" + (f", commit {', '.join(commits)}" if commits else "")
    silent = sum("commit" not in row for row in rows)
    return words + (f" (of {silent} rows the commit is not known)." if commits and silent else ".")


def rendered(page: str, data: Path) -> str:
    """The page with its tables made anew."""
    quality, real = read(data / "quality.jsonl"), read(data / "real.jsonl")
    parts = {"quality": quality_table(quality), "presets": presets_table(quality), "real": real_table(real)}
    for name, text in parts.items():
        begin, end = f"<!-- {name}: made by bench/results.py -->", f"<!-- /{name} -->"
        before, rest = page.split(begin)
        page = f"{before}{begin}\n\n{text}\n\n{end}{rest.split(end)[1]}"
    return page


def add_quality(data: Path, found: list[Row], stamp: Row) -> None:
    """In place of all rows of the same kind and preset, so that a table's rows are of one measurement."""
    replaced = {(row["kind"], row["preset"]) for row in found}
    kept = [row for row in read(data / "quality.jsonl") if (row["kind"], row["preset"]) not in replaced]
    write(data / "quality.jsonl", kept + [row | stamp for row in found])


def add_real(data: Path, clip: str, frames: list[Row], stamp: Row) -> None:
    """The frames' medians, in place of the clip's row."""
    row: Row = {"clip": clip, **stamp, "frames": len(frames)}
    row |= {name: round(median(known(frames, name)), 3) for name in ("before", "result")}
    row["reach"] = round(mean(value >= 0.8 for value in known(frames, "result")), 3)
    rows = read(data / "real.jsonl")
    rows = [row if old["clip"] == clip else old for old in rows]
    write(data / "real.jsonl", rows if row in rows else [*rows, row])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--quality", type=Path, nargs="+", default=[])
    parser.add_argument("--real", action="append", default=[], metavar="CLIP=FRAMES.jsonl")
    parser.add_argument("--date")
    parser.add_argument("--commit")
    options = parser.parse_args()
    stamp: Row = {name: getattr(options, name) for name in ("date", "commit") if getattr(options, name)}
    if options.quality or options.real:
        if len(stamp) < 2:
            parser.error("say --date and --commit of the code that measured")
        if options.quality:
            add_quality(DOCS / "data", [row for path in options.quality for row in read(path)], stamp)
        for word in options.real:
            clip, _, path = word.partition("=")
            add_real(DOCS / "data", clip, read(Path(path)), stamp)
    page = DOCS / "results.md"
    text = rendered(page.read_text(), DOCS / "data")
    if options.check:
        sys.exit(text != page.read_text())
    page.write_text(text)


if __name__ == "__main__":
    main()
