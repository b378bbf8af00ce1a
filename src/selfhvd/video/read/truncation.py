"""Truncation: whether a file ends before it should."""

from pathlib import Path
from typing import Any

from selfhvd.video.read.motion_photo import embedded_video

_SLACK = 0.5  # seconds that a stated duration may exceed the last packet before it is called early


class Ending:
    """Compares what a container promises with what its packets deliver."""

    def __init__(self, source: Path, container: Any, stream: Any) -> None:  # noqa: ANN401 - PyAV objects
        span = embedded_video(source)
        self.size = span.end - span.start if span else source.stat().st_size  # bytes
        self.promised = (container.duration or 0) / 1_000_000  # seconds
        self.origin = (container.start_time or 0) / 1_000_000  # seconds
        self.last = 0.0  # seconds, end of the last packet seen
        self.broken = False  # the demuxer gave up with an error
        self.left = False  # nobody wanted to read to the end
        self.cut = any(entry.pos + entry.size > self.size for entry in stream.index_entries)

    def cut_by(self, packet: Any) -> bool:  # noqa: ANN401 - PyAV packet
        """Note the packet's time; True if the file's end cuts it in two, so that it must not be decoded."""
        if packet.dts is not None or packet.pts is not None:
            start: Any = packet.pts if packet.pts is not None else packet.dts
            self.last = max(self.last, float((start + (packet.duration or 0)) * packet.time_base))
        halved = packet.is_corrupt and packet.pos is not None and packet.pos + packet.size >= self.size
        self.cut = self.cut or bool(halved)
        return bool(halved)

    def early(self) -> bool:
        """Whether the source stops short of what it promised."""
        short = self.promised and self.promised - (self.last - self.origin) > _SLACK
        return not self.left and (self.cut or self.broken or bool(short))
