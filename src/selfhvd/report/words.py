"""What the report says, as plain text; the page escapes it."""

from collections.abc import Mapping
from pathlib import PurePath
from statistics import median

from selfhvd.extensions.selection import Selection
from selfhvd.report.facts import RunFacts

_SAME = 0.02  # relative change of the sharpness below which it is called the same
_MOST_CUTS = 12  # that are told by number
_SPACE = "\N{NO-BREAK SPACE}"


def headline(facts: RunFacts) -> str:
    """One sentence: what was done and how it went."""
    name = PurePath(facts.source).name or facts.source
    blurry = facts.frames - passed(facts)
    if facts.left == facts.frames:
        return f"{name} was already sharp and has been copied."
    if left_as_it_came(facts):
        return f"Nothing was learned that does better than {name} itself, so it was left as it came."
    if facts.selection.verdict == "none-sharp":
        start = f"No frame of {name} was truly sharp; {_the_frames(facts.frames)} deblurred"
    else:
        were = "was blurry; it was" if blurry == 1 else "were blurry; they were"
        start = f"{blurry:,} of {count(facts.frames, 'frame')} of {name} {were} deblurred"
    took = sum(facts.timings.values(), 0.0)
    start += f" at strength {facts.strength:g}" if facts.strength < 1 else ""
    return start + (f" in {duration(took)}" if took > 0 else "") + _went(facts) + "."


def verdict(facts: RunFacts) -> str:
    """What the clip was found to be, in plain words."""
    if facts.left == facts.frames:
        return "The clip was already sharp and has been copied: there was nothing to deblur."
    if facts.selection.verdict == "none-sharp":
        return (
            "No frame of this clip is truly sharp. The detail in the output comes from the general model, "
            "not from the clip; look at small text and faces with care."
        )
    picks = len(facts.selection.by_segment)
    bare = "a stretch" if picks == 1 else "stretches"
    more = f" {picks:,} more stood in as the best of {bare} without a sharp frame." if picks else ""
    if facts.selection.verdict == "all-sharp":
        return f"No frame of this clip is blurred.{_cleaned(facts)}"
    share = f"{sharp_share(facts)} {'is' if passed(facts) == 1 else 'are'} sharp and guided the others"
    return f"The clip mixes sharp and blurry frames: {share}.{more}{_cleaned(facts)}"


def adaptation(facts: RunFacts) -> str:
    """How the network came to fit the clip, or that it did not."""
    done = facts.adaptation
    if done is None:
        if facts.left == facts.frames:
            return "No network was run."
        if left_as_it_came(facts):
            return "Nothing was learned, so the clip was left as it came."
        return "The network was used as it came; it was not adapted to this clip."
    if done.kept:
        return "The network was adapted to this clip and the adapted network was used."
    return "The network was adapted to this clip, but did worse by our own measures (drift or sharpness), " + (
        "so the clip was left as it came." if left_as_it_came(facts) else "so the network from before was used."
    )


def strength(facts: RunFacts) -> str:
    """How much of the restoration is in the result."""
    if facts.strength == 1:
        return "1 (the restored frames as they are)"
    return f"{facts.strength:g} (the rest is the clip as it was)"


def coding(facts: RunFacts) -> str:
    """What was asked of the coding."""
    codec = "the source's codec where it can be written" if facts.written_codec == "auto" else facts.written_codec
    size = "about the source's size" if facts.written_quality is None else f"quality {facts.written_quality:g} of 100"
    return f"{codec}, {size}"


def left_as_it_came(facts: RunFacts) -> bool:
    """Whether an untrained network learned nothing that was kept, so that every frame was handed through."""
    learned = facts.adaptation is not None and facts.adaptation.kept
    return facts.weights == "none" and not learned and facts.left < facts.frames


def passed(facts: RunFacts) -> int:
    """Number of frames at or above the threshold."""
    return len(facts.selection.sharp) - len(facts.selection.by_segment)


def sharp_share(facts: RunFacts) -> str:
    """Sharp frames of all: "14 of 60 (23 %)"."""
    return f"{passed(facts):,} of {facts.frames:,} ({percent(facts.selection.ratio)})"


def sharpness_change(facts: RunFacts) -> str:
    """Median sharpness before and after: "48 → 131"."""
    before = number(median(facts.selection.sharpness))
    return f"{before} → {number(median(facts.sharpness_after))}" if facts.sharpness_after else before


def scenes(selection: Selection) -> str:
    """How many there are, and with which frames they begin."""
    starts = [f"{cut:,}" for cut in selection.cuts]
    shown = starts if len(starts) <= _MOST_CUTS else [*starts[:_MOST_CUTS], "..."]
    return f"{len(starts) + 1:,}, cut before frame {', '.join(shown)}; nothing was aligned or learned across a cut"


def count(n: int, thing: str) -> str:
    """`n` things: "1 frame", "1,200 frames"."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def number(value: float) -> str:
    """A measured number with two or three digits that mean something."""
    if value == 0 or abs(value) >= 10:
        return f"{value:,.0f}"
    return f"{value:.2g}" if abs(value) < 1 else f"{value:.1f}"


def percent(share: float) -> str:
    """A share of 0..1; what is not nothing is never called 0 %, what is not all never 100 %."""
    if 0 < share < 0.01:
        return f"under 1{_SPACE}%"
    return f"over 99{_SPACE}%" if 0.99 < share < 1 else f"{share:.0%}".replace("%", f"{_SPACE}%")


def duration(seconds: float) -> str:
    """A stretch of time: "0.8 s", "42 s", "3 min 12 s", "1 h 04 min"."""
    if 0 < seconds < 0.05:
        return "under 0.1 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _the_frames(n: int) -> str:
    return "its one frame was" if n == 1 else f"its {n:,} frames were"


def _cleaned(facts: RunFacts) -> str:
    """Which frames came back as they came, and why the other sharp ones did not."""
    if facts.left:
        return f" {count(facts.left, 'frame')} came back as {'it' if facts.left == 1 else 'they'} came."
    restoring = facts.settings.get("restore")
    if not isinstance(restoring, Mapping) or restoring.get("which", "blurry") == "blurry":
        return ""
    return " Its sharp frames were restored, too, against noise and coding marks (--keep-sharp leaves them)."


def _went(facts: RunFacts) -> str:
    if not facts.sharpness_after:
        return ""
    before, after = median(facts.selection.sharpness), median(facts.sharpness_after)
    whose = "sharpness" if facts.frames == 1 else "the median sharpness"
    if abs(after - before) <= _SAME * max(abs(before), abs(after)):
        return f", and {whose} stayed at {number(before)}"
    return f", and {whose} {'rose' if after > before else 'fell'} from {number(before)} to {number(after)}"
