"""The other tracks of the source: packets copied untouched, chapters and metadata with them."""

import io
from contextlib import ExitStack
from fractions import Fraction
from itertools import islice
from typing import Any

import av
from av.error import FFmpegError

from selfhvd.video.footage import Footage, Track
from selfhvd.video.limits import Limits
from selfhvd.video.plan import MP4_LIKE
from selfhvd.video.reporting import Report
from selfhvd.video.sources import open_source

# Written anew by the muxer, or true only of the old file.
_STALE = {
    "major_brand",
    "minor_version",
    "compatible_brands",
    "encoder",
    "duration",
    "handler_name",
    "vendor_id",
}


class Copier:
    """Copies the tracks of a footage's source that the output container can carry."""

    def __init__(
        self,
        footage: Footage,
        output: Any,  # noqa: ANN401 - PyAV's container
        container: str,
        stack: ExitStack,
        report: Report,
    ) -> None:
        self.footage, self.output, self.container = footage, output, container
        self.copied: list[list[int]] = []  # [index in the source, index in the output]
        self._streams: dict[int, Any] = {}
        self._source: Any = None
        self._packets: Any = iter(())
        self._held: Any = None
        if footage.kind == "images":
            return
        self._source = stack.enter_context(open_source(footage.source, Limits()))
        for track in footage.tracks:
            self._take(track, report)
        if self._streams:
            self._packets = self._source.demux([self._source.streams[index] for index in self._streams])

    def _take(self, track: Track, report: Report) -> None:
        """Add one track to the output, or say why not."""
        stream = self._source.streams[track.index]
        what = f"stream {track.index} ({track.codec or 'unknown'} {track.kind})"
        if track.kind == "video" and not track.picture:
            return  # said at ingest
        if self._rewritten(track, stream):
            return
        if not _carries(self.footage, stream.index, self.container):
            report(warning=f"{what} cannot be copied into {self.container}")
            return
        added = _add(self.output, stream)
        self._streams[track.index] = added
        self.copied.append([track.index, added.index])

    def _rewritten(self, track: Track, stream: Any) -> bool:  # noqa: ANN401 - PyAV stream
        """Whether the muxer makes this track itself: MP4's chapter text and time code."""
        if self.container not in MP4_LIKE or track.kind != "data":
            return False
        chapters = len(self._source.chapters())
        timed = "timecode" in stream.metadata or "timecode" in self._source.streams[self.footage.stream].metadata
        return (track.codec == "bin_data" and 0 < chapters == stream.frames) or (
            track.codec == "" and timed and stream.frames == 1
        )

    def describe(self, video: Any, comment: str | None) -> None:  # noqa: ANN401 - PyAV stream
        """Copy metadata and chapters; `comment` is added to the container's own."""
        metadata = self.output.metadata
        if self._source is not None:
            metadata.update(_fresh(self._source.metadata))
            video.metadata.update(_fresh(self._source.streams[self.footage.stream].metadata))
            if self._source.chapters():
                self.output.set_chapters(self._source.chapters())
        if comment:
            metadata["comment"] = f"{metadata['comment']}; {comment}" if metadata.get("comment") else comment

    def copy_until(self, time: Fraction | None) -> None:
        """Mux packets up to `time` seconds, all that are left where it is None."""
        while True:
            packet = self._held if self._held is not None else self._next()
            self._held = None
            if packet is None:
                return
            if time is not None and packet.dts is not None and packet.dts * packet.time_base > time:
                self._held = packet
                return
            packet.stream = self._streams[packet.stream_index]
            self.output.mux(packet)

    def _next(self) -> Any:  # noqa: ANN401 - PyAV packet
        """The next packet that holds something; a source that breaks off ends the copy there."""
        try:
            for packet in self._packets:
                if packet.size and not (packet.pts is None and packet.dts is None):
                    return packet
        except FFmpegError:
            self._packets = iter(())
        return None


def _add(output: Any, stream: Any) -> Any:  # noqa: ANN401 - PyAV objects
    """A track like `stream` in `output`."""
    added = output.add_stream_from_template(stream, opaque=True)
    added.metadata.update(_fresh(stream.metadata))
    if "handler_name" in stream.metadata:
        added.metadata["handler_name"] = stream.metadata["handler_name"]
    added.disposition = stream.disposition
    added.time_base = stream.time_base
    return added


def _carries(footage: Footage, index: int, container: str) -> bool:
    """Whether `container` takes this track: found out by writing its first packets to memory."""
    with open_source(footage.source, Limits()) as source:
        stream = source.streams[index]
        try:
            trial: Any = av.open(io.BytesIO(), "w", format=container)
            added = _add(trial, stream)
            trial.start_encoding()
            for packet in islice(source.demux(stream), 3):
                if packet.size and packet.dts is not None:
                    packet.stream = added
                    trial.mux(packet)
            trial.close()
        except (FFmpegError, ValueError, TypeError, AttributeError, UnicodeError, OSError):
            return False
    return True


def _fresh(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata that stays true of the new file."""
    return {key: value for key, value in metadata.items() if key.lower() not in _STALE}
