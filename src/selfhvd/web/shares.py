"""Shares: how much of a whole run each of its stages is, about, so that one bar can stand for all of them."""

_STAGES = {
    "preview": (0.0, 0.02),
    "read": (0.02, 0.10),
    "scenes": (0.10, 0.12),
    "select": (0.12, 0.20),
    "align": (0.20, 0.24),
    "stage 1": (0.24, 0.36),
    "stage 2": (0.36, 0.50),
    "restore": (0.20, 0.90),
    "verify": (0.90, 0.93),
    "copy": (0.93, 1.0),
}
"""Where on the bar each begins and ends; learning, which seldom is, takes its room from restoring."""


def share_of(stage: str, done: object, total: object) -> float:
    """How far along the whole run is, 0 to 1, about; 0 in a stage that is not known."""
    first, last = _STAGES.get(stage.partition(",")[0], (0.0, 0.0))
    known = isinstance(done, int | float) and isinstance(total, int | float) and total > 0
    return first + (last - first) * min(1.0, done / total) if known else first  # pyright: ignore[reportOperatorIssue]
