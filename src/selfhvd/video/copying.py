"""The other tracks of the source: packets copied untouched, chapters and metadata with them."""

import io
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from itertools import islice
from typing import Any

import av
from av.error import FFmpegError

from selfhvd.video.amr import single_frames
from selfhvd.video.footage import Footage, Track
from selfhvd.video.limits import Limits
from selfhvd.video.plan import MP4_LIKE
from selfhvd.video.reporting import Report
from selfhvd.video.sources import codec_name, open_source
from selfhvd.video.words import commented, fresh


class Copier:
    """Copies the tracks of a footage's source that the output container can carry."""

    def __init__(
        self,
        footage: Footage,
        output: Any,  # noqa: ANN401 - PyAV's container
        container: str,
        stack: ExitStack,
        report: Report,
        *,
        strip_location: bool = False,
    ) -> None:
        self.footage, self.output, self.container = footage, output, container
        self.strip_location = strip_location
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
            self._packets = self._demux()

    def _take(self, track: Track, report: Report) -> None:
        """Add one track to the output, or say why not."""
        stream = self._source.streams[track.index]
        what = f"stream {track.index} ({track.codec or 'unknown'} {track.kind})"
        if track.kind == "video" and not track.picture:
            return  # said at ingest
        if self._rewritten(track, stream):
            return
        if self.strip_location and track.kind in ("data", "attachment"):
            report(warning=f"{what} may tell the place and is left out")
            return
        if not _carries(self.footage, stream.index, self.container):
            report(warning=f"{what} cannot be copied into {self.container}")
            return
        added = _add(self.output, stream, strip_location=self.strip_location)
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
        tags: dict[str, str] = {}
        if self._source is not None:
            strip = self.strip_location
            tags = fresh(self._source.metadata, strip_location=strip)
            video.metadata.update(fresh(self._source.streams[self.footage.stream].metadata, strip_location=strip))
            if self._source.chapters():
                self.output.set_chapters(self._source.chapters())
        self.output.metadata.update(commented(tags, comment))

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
            self.output.mux(packet)

    def _next(self) -> Any:  # noqa: ANN401 - PyAV packet
        """The next packet that holds something; a source that breaks off ends the copy there."""
        try:
            return next(self._packets, None)
        except FFmpegError:
            self._packets = iter(())
            return None

    def _demux(self) -> Iterator[Any]:
        """Packets of the copied streams as the muxer takes them, each bound to its stream of the output."""
        streams = [self._source.streams[index] for index in self._streams]
        codecs = {stream.index: codec_name(stream) for stream in streams}
        for whole in self._source.demux(streams):
            if not whole.size or (whole.pts is None and whole.dts is None):
                continue
            stream = self._streams[whole.stream_index]
            for packet in single_frames(whole, codecs[whole.stream_index]):
                packet.stream = stream
                yield packet


def _add(output: Any, stream: Any, *, strip_location: bool = False) -> Any:  # noqa: ANN401 - PyAV objects
    """A track like `stream` in `output`."""
    added = output.add_stream_from_template(stream, opaque=True)
    added.metadata.update(fresh(stream.metadata, strip_location=strip_location))
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
            for whole in islice(source.demux(stream), 3):
                for packet in single_frames(whole, codec_name(stream)) if whole.size and whole.dts is not None else ():
                    packet.stream = added
                    trial.mux(packet)
            trial.close()
        except (FFmpegError, ValueError, TypeError, AttributeError, UnicodeError, OSError):
            return False
    return True
