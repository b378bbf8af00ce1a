"""Training log: what a training tells while it runs, as JSON lines, and for TensorBoard where it is installed."""

import json
import logging
import math
import time
from pathlib import Path
from typing import Any

from selfhvd.errors import OutputError
from selfhvd.training.loop import Step

log = logging.getLogger(__name__)


JOURNAL = "journal.jsonl"


class TrainingLog:
    """Appends to FOLDER/journal.jsonl; a line each `every` steps, and one for each event.

    Args:
        folder: of the run.
        every: steps between two lines.
    """

    def __init__(self, folder: Path, every: int) -> None:
        self.path, self.every = folder / JOURNAL, every
        self._board = _tensorboard(folder / "tensorboard")
        self._sums: dict[str, list[float]] = {}
        _end_last_line(self.path)

    def step(self, stage: str, step: Step) -> None:
        """Told of each step; the loss of a line is the mean over the steps since the last."""
        losses = self._sums.setdefault(stage, [])
        losses.append(step.loss)
        if step.number % self.every:
            return
        finite = [loss for loss in losses if math.isfinite(loss)]
        facts = {"loss": sum(finite) / len(finite) if finite else None, "rate": step.rate, "norm": step.norm}
        self.event("step", stage=stage, step=step.number, **{k: v for k, v in facts.items() if _is_finite(v)})
        if self._board is not None:
            for name, value in facts.items():
                if _is_finite(value):
                    self._board.add_scalar(f"{stage}/{name}", value, step.number)
        losses.clear()

    def event(self, event: str, **facts: object) -> None:
        """Append a line."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **facts}, default=str)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written ({error.strerror}); make room and go on.") from error

    def close(self) -> None:
        """Nothing comes any more."""
        if self._board is not None:
            self._board.close()


def _end_last_line(path: Path) -> None:
    """What a full disk cut off stays a line of its own; no later one is lost to it."""
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _tensorboard(folder: Path) -> Any:  # noqa: ANN401 - an optional package
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.info("no curves for TensorBoard: it is not installed (extra `tensorboard`)")
        return None
    return SummaryWriter(str(folder))
