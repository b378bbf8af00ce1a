"""The report of a run: one HTML file that needs nothing else."""

import base64
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import cast

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from selfhvd.report import words
from selfhvd.report.facts import RunFacts
from selfhvd.report.plot import DARK, LIGHT, Theme, sharpness_plot
from selfhvd.report.record import plain
from selfhvd.system.atomic import write_aside

_JPEG_QUALITY = 95
_WIDE, _NARROW = (2080, 800), (760, 660)  # the plot on a screen and on a phone, in pixels at double density


@dataclass(frozen=True)
class Comparison:
    """A frame before and after, or a part of it."""

    index: int
    before: UInt8[np.ndarray, "h w 3"]
    after: UInt8[np.ndarray, "h w 3"]
    caption: str


def write_report(path: Path, facts: RunFacts, comparisons: Sequence[Comparison]) -> None:
    """Write the report of a run as one HTML file: no other file, no network, works from a mail attachment."""
    script = _asset("page.js")
    page = Template(_asset("page.html")).substitute(
        style=_asset("page.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        title=escape(f"{Path(facts.source).name} · selfhvd"),
        headline=escape(words.headline(facts)),
        alert=_alert(facts),
        comparisons=_comparisons(comparisons),
        verdict=escape(words.verdict(facts)),
        verdict_kind=facts.selection.verdict,
        warnings=_list("warnings", facts.warnings),
        tiles=_pairs(_tiles(facts)),
        found=_pairs(_found(facts)),
        plot=_plot(facts),
        adaptation=escape(words.adaptation(facts)),
        standing=_standing(facts),
        done=_pairs(_done(facts)),
        timings=_timings(facts.timings),
        again=_pairs(_again(facts)),
        settings=_table(_flat(facts.settings)),
        settings_count=sum(1 for _ in _flat(facts.settings)),
    )
    # What is no UTF-8 in a file name cannot be shown; a question mark stands for it.
    write_aside(path, page.encode(errors="replace"))


def _tiles(facts: RunFacts) -> Iterator[tuple[str, str]]:
    yield "Frames", f"{facts.frames:,}"
    yield "Size", f"{facts.width} by {facts.height}"
    yield "Sharp frames", words.sharp_share(facts)
    yield "Median sharpness", words.sharpness_change(facts)


def _found(facts: RunFacts) -> Iterator[tuple[str, str]]:
    yield "Clip", facts.source
    if facts.part:
        yield "Part of it", f"{facts.part} s" + (", the hardest stretch" if facts.preview else "")
    yield "Length", words.duration(facts.seconds)
    yield "Coded as", f"{facts.codec}, {facts.depth} bits a channel"
    if facts.selection.by_segment:
        yield "Best of a segment", words.count(len(facts.selection.by_segment), "frame")
    if facts.selection.cuts:
        yield "Scenes", words.scenes(facts.selection)


def _done(facts: RunFacts) -> Iterator[tuple[str, str]]:
    if facts.adaptation is not None:
        yield (
            "Training",
            f"{words.count(facts.adaptation.steps, 'step')}, {words.duration(facts.adaptation.seconds)}",
        )
        yield "Snapshots taken over", f"{facts.adaptation.updates}"
    if facts.left < facts.frames:
        yield "Network", facts.network
        yield "First weights", "none (from scratch)" if facts.weights == "none" else facts.weights
        yield "Flow", facts.flow
        yield "Device", facts.device
        yield "Strength", words.strength(facts)
        yield "Coding", words.coding(facts)
    yield "Output", facts.output


def _again(facts: RunFacts) -> Iterator[tuple[str, str]]:
    yield "Preset", facts.preset
    yield "Seed", f"{facts.seed}"
    yield from facts.versions.items()


def _alert(facts: RunFacts) -> str:
    if not facts.warnings:
        return ""
    said = words.count(len(facts.warnings), "warning")
    return f'<p class="alert"><a href="#found">{said}</a>: {escape(facts.warnings[0])}</p>'


def _comparisons(comparisons: Sequence[Comparison]) -> str:
    if not comparisons:
        return ""
    figures = "\n".join(_figure(comparison) for comparison in comparisons)
    hint = '<p class="hint">Drag the line, or use the arrow keys.</p>'
    return f'<section class="comparisons">\n<h2>Before and after</h2>\n{hint}\n{figures}\n</section>'


def _figure(comparison: Comparison) -> str:
    high, wide = comparison.before.shape[:2]
    layers = "".join(
        f'<div class="{name}"><img src="{_jpeg(image)}" alt="Frame {comparison.index} {name}"><span>{name}</span></div>'
        for name, image in (("after", comparison.after), ("before", comparison.before))
    )
    label = f"Frame {comparison.index}: how much of the picture is shown as it was before, in percent"
    slider = f'<input type="range" min="0" max="100" step="any" value="50" aria-label="{label}">'
    caption = f"<figcaption>{escape(comparison.caption)}</figcaption>"
    pair = f'<div class="pair" style="--wide:{wide};--high:{high}">{layers}{slider}</div>'
    return f"<figure>{pair}{caption}</figure>"


def _plot(facts: RunFacts) -> str:
    def image(size: tuple[int, int], theme: Theme) -> str:
        plot = sharpness_plot(facts.selection, facts.sharpness_after, *size, theme=theme, zoom=2.0)
        return _png(plot)

    sources = "".join(
        f'<source media="{media}" srcset="{image(size, theme)}" width="{size[0]}" height="{size[1]}">'
        for media, size, theme in (
            ("(max-width: 640px) and (prefers-color-scheme: dark)", _NARROW, DARK),
            ("(max-width: 640px)", _NARROW, LIGHT),
            ("(prefers-color-scheme: dark)", _WIDE, DARK),
        )
    )
    said = f"Sharpness of each frame; median {words.sharpness_change(facts)}"
    last = f'<img src="{image(_WIDE, LIGHT)}" width="{_WIDE[0]}" height="{_WIDE[1]}" alt="{escape(said)}">'
    return f'<picture class="plot">{sources}{last}</picture>'


def _standing(facts: RunFacts) -> str:
    if facts.adaptation is None:
        return ""
    before, after = facts.adaptation.before, facts.adaptation.after
    rows = (
        ("Drift from the input, pixels", f"{before.drift:.2f}", f"{after.drift:.2f}"),
        ("Sharpness of its output", words.number(before.sharpness), words.number(after.sharpness)),
    )
    head = "<thead><tr><th>On the probe frames</th><th>Before adapting</th><th>After</th></tr></thead>"
    return f'<table class="numbers">{head}<tbody>{_table(rows)}</tbody></table>'


def _timings(timings: Mapping[str, float]) -> str:
    if not timings:
        return ""
    total, longest = sum(timings.values(), 0.0), max(*timings.values(), 1e-9)
    bars = [f'<i style="--share:{100 * spent / longest:.2f}%"></i>' for spent in timings.values()]
    rows = "\n".join(
        f'<tr><th>{escape(stage)}</th><td class="bar">{bar}</td>'
        f"<td>{words.duration(spent)}</td><td>{words.percent(spent / max(total, 1e-9))}</td></tr>"
        for bar, (stage, spent) in zip(bars, timings.items(), strict=True)
    )
    foot = f"<tfoot><tr><th>all</th><td></td><td>{words.duration(total)}</td><td></td></tr></tfoot>"
    table = f'<table class="timings"><tbody>\n{rows}\n</tbody>{foot}</table>'
    return f"<section>\n<h2>Where the time went</h2>\n{table}\n</section>"


def _flat(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """A nested dict as dotted names and values."""
    value = plain(value)
    if isinstance(value, dict) and value:
        for key, inner in cast("dict[str, object]", value).items():
            yield from _flat(inner, f"{name}.{key}" if name else key)
    elif name:
        yield name, "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"<div><dt>{escape(k)}</dt><dd><bdi>{escape(v)}</bdi></dd></div>" for k, v in pairs)


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for name, *cells in rows
    )


def _list(kind: str, items: Sequence[str]) -> str:
    inside = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f'<ul class="{kind}">{inside}</ul>' if items else ""


def _jpeg(image: UInt8[np.ndarray, "h w 3"]) -> str:
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"


def _png(image: Image.Image) -> str:
    data = io.BytesIO()
    image.save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"


def _asset(name: str) -> str:
    return (files("selfhvd.report") / name).read_text("utf-8")
