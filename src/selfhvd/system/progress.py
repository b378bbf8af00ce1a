"""How long work tells how far it is, whoever listens, and how it is asked to stop."""

from collections.abc import Callable
from enum import StrEnum

from selfhvd.errors import Stopped

Progress = Callable[[str, int, int], None]
"""Told the name of the stage, how much of it is done, and how much there is."""


class Stage(StrEnum):
    """What a run does after the other, as progress and its log call it."""

    PREVIEW = "preview"
    READ = "read"
    SCENES = "scenes"
    SELECT = "select"
    STAGE_ONE = "stage 1"
    STAGE_TWO = "stage 2"
    RESTORE = "restore"
    VERIFY = "verify"


SAVING = (Stage.STAGE_ONE, Stage.STAGE_TWO)
"""Stages that are asked to stop on their own, for they save their state first."""


def silent(stage: str, done: int, total: int) -> None:
    """A `Progress` that says nothing."""


def stoppable(on_progress: Progress, stop: Callable[[], bool]) -> Progress:
    """`on_progress` that raises `Stopped` once `stop` says so: between two frames nothing needs to be saved."""

    def progress(stage: str, done: int, total: int) -> None:
        if stop() and stage.partition(",")[0] not in SAVING:  # a stage may be that of one clip of several
            raise Stopped
        on_progress(stage, done, total)

    return progress
