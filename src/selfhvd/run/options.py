"""How a run goes about its work; nothing here changes the restored frames but how much of them is blended in."""

from dataclasses import dataclass
from fractions import Fraction

from selfhvd.video import CodecName, Coding


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

    @property
    def coding(self) -> Coding:
        """Codec and quality together."""
        return Coding(self.codec, self.quality)
