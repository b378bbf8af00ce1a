"""Records: what a person wants of a job, what is known of it, how it ended. Each is one JSON file with one writer."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Record(BaseModel):
    """Frozen; keys of another version are passed over."""

    model_config = ConfigDict(frozen=True)


class Settings(Record):
    """How a clip is restored; each as the option of `selfhvd deblur` of the same name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Literal["fast", "balanced", "best"] = "fast"
    strength: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    """How much of the restoration is blended in."""
    quality: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    """Of the coding; None: 90, or what keeps the result about as large as its source."""
    codec: Literal["auto", "h264", "hevc", "av1", "vp9", "prores", "ffv1"] = "auto"
    restore: Literal["auto", "blurry", "all"] | None = None
    start: Seconds | None = None
    """Of the part that is restored, seconds from the clip's first frame."""
    end: Seconds | None = None
    """Exclusive."""
    strip_location: bool = False

    @model_validator(mode="after")
    def _has_a_part(self) -> "Settings":
        if self.end is not None and (self.start or 0.0) >= self.end:
            raise ValueError("the part ends before it starts")
        return self

    def words(self) -> list[str]:
        """Those that differ from the default, as words of the command."""
        told = self.model_dump(exclude_defaults=True)
        flags = ["--strip-location"] if told.pop("strip_location", False) else []
        return flags + [f"--{name}={value}" for name, value in told.items() if value is not None]

    @property
    def deciding(self) -> dict[str, object]:
        """Those that restored frames hang on; the others only blend and code."""
        return self.model_dump(include={"preset", "restore", "start", "end"})


class Wanted(StrEnum):
    """What a person wants of a job."""

    LOOK = "look"
    """Only to be told what the clip is and what it would take."""
    RUN = "run"
    PAUSE = "pause"
    CANCEL = "cancel"
    GONE = "gone"
    """Removed, with all its files."""


class State(StrEnum):
    """What becomes of it."""

    LOOKING = "looking"
    READY = "ready"
    """Looked at; waits for a person to start it."""
    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FAILED = "failed"
    DONE = "done"


ENDED = (State.CANCELLED, State.FAILED, State.DONE)


class Job(Record):
    """What was asked for. Only `JobStore` writes it."""

    id: str
    owner: str
    """Whose job it is; one who may see it."""
    name: str
    """What the clip is called, as it came; text, never a path."""
    source: Path
    """The clip."""
    wanted: Wanted = Wanted.LOOK
    settings: Settings = Settings()
    run: int = 1
    """Counts how often it was started anew; what was written of an earlier run counts no more."""
    made: float
    """When it came, seconds since 1970."""
    queued: float = 0.0
    """When it was put into the queue, which is in this order."""

    @field_validator("settings", mode="before")
    @classmethod
    def _known(cls, found: object) -> object:
        """Of what is kept, settings of another version are passed over, too."""
        if not isinstance(found, dict):
            return found
        return {
            name: value for name, value in cast("dict[str, object]", found).items() if name in Settings.model_fields
        }


class Progress(Record):
    """How far a run is. Only the runner writes it."""

    run: int
    stage: str
    """As the command calls it; `copy` while the page's copy is made."""
    done: int = 0
    total: int | None = None
    eta_s: float | None = None
    """Seconds that the stage will still take, about."""
    share: float = 0.0
    """Of the whole run, 0 to 1, about."""


class Outcome(Record):
    """How a run ended. Only the runner writes it, or, where nothing ran, the keeper of the queue."""

    run: int
    state: Literal["done", "failed", "cancelled"]
    exit_code: int = 0
    """As `selfhvd --help` lists them."""
    sentence: str = ""
    """Why it failed."""
    warnings: tuple[str, ...] = ()
    """What the run warned of."""
    result: str = ""
    """The name of the file in the job's folder `output`."""
    seconds: float = 0.0
    """Of work on it in this run, the last stretch where it was cut off."""
