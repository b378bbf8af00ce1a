"""How a run goes about its work; nothing here changes the restored frames but how much of them is blended in."""

from dataclasses import dataclass
from fractions import Fraction

from selfhvd.video import CodecName, Coding
from selfhvd.video.destination import PREVIEW, RESULT
from selfhvd.video.part import Part, Time, part_of


@dataclass(frozen=True)
class RunOptions:
    """The options of `selfhvd.deblur` that are no part of the configuration, by the same names."""

    strength: float = 1.0
    """How much of the restoration is blended in, 0 (the clip as it is) to 1."""
    quality: float | int | None = None
    """Of the coding, 0 (worst) to 100; None: 90, or what keeps the result about as large as its source."""
    codec: CodecName = "auto"
    """Of the result; `auto` keeps the source's where the container carries it."""
    overwrite: bool = False
    """Replace an existing destination."""
    restart: bool = False
    """Begin anew where an unfinished run left something."""
    keep_work: bool = False
    """Leave the work folder beside the result."""
    report: bool = True
    """Write a report and a record beside the result."""
    strip_location: bool = False
    """Leave out of the result what tells where the clip was taken."""
    fps: str | int | float | Fraction | None = None
    """Frames per second of a folder of images; None: 30. A file has times of its own."""
    workers: int | None = 1
    """Processes that restore frames side by side; None: as many as there are cores for, and memory."""

    start: Time | None = None
    """Where the part that is restored begins, seconds or H:MM:SS of the clip's own time; None: at its first frame."""
    end: Time | None = None
    """Where it ends, exclusive; None: behind the last frame."""

    preview: float | None = None
    """Restore only the hardest stretch of so many seconds; None: what `start` and `end` say."""

    @property
    def part(self) -> Part | None:
        """Both together; `UsageError` where they make no sense, None for the whole clip."""
        return part_of(self.start, self.end)

    @property
    def extent(self) -> str:
        """What of the clip is restored, in words; "" for all of it."""
        if self.preview is not None:
            return f"the hardest {self.preview:g} s (finding them is not counted)"
        return "" if self.part is None else self.part.words

    @property
    def ending(self) -> str:
        """How the name of the result ends where nobody chose one."""
        if self.preview is not None:
            return PREVIEW
        return RESULT if self.part is None else f"_{self.part.name}{RESULT}"

    @property
    def coding(self) -> Coding:
        """Codec and quality together."""
        return Coding(self.codec, self.quality)
