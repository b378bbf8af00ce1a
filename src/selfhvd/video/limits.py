"""What a source may claim before it is refused unread, and how much of it is kept."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Upper bounds that keep a hostile or damaged file from eating the machine."""

    pixels: int = 8192 * 8192  # pixels in one frame
    frames: int = 1_000_000  # frames in one source
    streams: int = 128  # tracks in one container
    longest: int | None = None  # pixels of the longer side that a larger picture is reduced to; None: as it is
    ahead: int | None = None  # frames that may wait to be read, where the reader takes them away; None: any number
    stall: float | int = 60  # seconds a child process may go without progress
