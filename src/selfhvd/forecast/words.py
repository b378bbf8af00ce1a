"""A forecast in words."""

from collections.abc import Sequence

from selfhvd.forecast.forecast import Forecast
from selfhvd.system.disk import in_bytes


def as_text(found: Forecast) -> str:
    """A few lines."""
    head = found.head
    number = f"{head.frames:,} frames" if head.stated else f"about {head.frames:,} frames (not stated)"
    number = number if head.frames else "an unknown number of frames"
    cut = f"{found.extent}: " if found.extent else ""
    lesson = "uses the weights as they are" if not found.steps else f"learns for at most {found.steps:,} steps"
    lesson += f"; blended at strength {found.strength:g}" if found.strength < 1 else ""
    rows = {
        "clip": f"{cut}{number} of {head.width}x{head.height}, {head.codec}, {head.depth} bits",
        "writes": _coding(found),
        "method": f"preset {found.preset}: network {found.network}, flow {found.flow}, on {found.device}; {lesson}",
        "disk": f"about {in_bytes(found.room.total)} while it works, {in_bytes(found.free)} free; "
        f"about {in_bytes(found.stays)} of it stay",
        "memory": f"about {in_bytes(found.memory)}",
        "time": f"about {rough(found.seconds)} ({SOURCE})",
    }
    return "\n".join([f"{found.source} -> {found.destination}", *(f"  {name:<8}{text}" for name, text in rows.items())])


def _coding(found: Forecast) -> str:
    """How it is written, at which quality, about how large, and what changes."""
    start = f"{found.container}, {found.codec}, {found.pixel_format}"
    quality = [found.quality] if found.quality else []
    size = f"about {in_bytes(found.room.result)}"
    return "; ".join([start, *quality, size, *found.notes])


def in_all(seen: Sequence[Forecast]) -> str:
    """One line for many clips."""
    time = rough(sum(found.seconds for found in seen))
    stay = in_bytes(sum(found.stays for found in seen))
    return f"{len(seen)} {'clip' if len(seen) == 1 else 'clips'}, about {time} and {stay} in all"


SOURCE = "a rough guess: network and flow were timed just now on a picture of 256x256; other load on the machine counts"


def rough(seconds: float) -> str:
    """A time no finer than it is known: "5 s", "40 s", "3 min", "2.5 h"."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
