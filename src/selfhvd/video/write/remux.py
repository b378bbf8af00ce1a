"""The other tracks of the source: packets copied untouched, chapters and metadata with them."""

import io
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError
from av.stream import Disposition

from selfhvd.video.footage import Footage, Track
from selfhvd.video.limits import Limits
from selfhvd.video.process.protocol import Report
from selfhvd.video.read.demux import codec_name, open_source
from selfhvd.video.read.motion_photo import embedded_video
from selfhvd.video.write.amr import single_frames
from selfhvd.video.write.attachments import covers
from selfhvd.video.write.encoder_choice import MP4_LIKE
from selfhvd.video.write.mp4_index import Index, index_of, read_index
from selfhvd.video.write.mp4_metadata import PLACE, called, describable, has_marks, put_back
from selfhvd.video.write.packets import Bounds, first_times, packets_of
from selfhvd.video.write.tags import commented, fresh
from selfhvd.video.write.time_shift import first_time, move, shift_of

_NOTICED = 0.04  # seconds between picture and sound


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
        self.attached: list[int] = []  # index in the source of pictures and files that go along whole
        self.shift = Fraction(0) if footage.begins is None else -footage.begins  # seconds that all times are moved by
        self.bounds = Bounds.of(footage)
        self.index = _index(footage)  # None: no MP4
        self._streams: dict[int, Any] = {}
        self._source: Any = None
        self._packets: Any = iter(())
        self._held: Any = None
        if footage.kind == "images":
            return
        self._source = stack.enter_context(open_source(footage.source, Limits()))
        kept = container in MP4_LIKE and self.index is not None and has_marks(self.index, footage)
        if footage.marks and not kept:
            report(warning=f"marks of a {' '.join(footage.marks)} picture cannot be kept in {container}")
        self._starts = self._first_times()
        self._take_no_timecode(report)
        for track in sorted(footage.tracks, key=lambda track: track.kind == "attachment" or track.picture):
            self._take(track, report)  # what is attached comes last: it gets no number among the streams
        if footage.begins is None:
            ticks = [self._source.streams[index].time_base for index in self._streams]
            self.shift = shift_of(footage, container, first_time(footage.source, list(self._streams)), ticks)
        if container == "avi":
            self._tell_starts(report)
        elif self.shift and footage.begins is None:
            report(warning=f"all times are moved together by {float(self.shift):.6f} s, so that they can be written")
        if self._streams:
            self._packets = self._demux()

    def _first_times(self) -> dict[int, Fraction]:
        """When each track begins in a part; of a whole clip nobody needs to know of all at once."""
        if self.bounds.is_open:
            return {}
        timed = [track.index for track in self.footage.tracks if track.kind in ("audio", "subtitle", "data")]
        return first_times(self.footage.source, timed, self.bounds)

    def _take_no_timecode(self, report: Report) -> None:
        """Name the time code of a part's source, which counts from the first frame of the clip."""
        tags = (self._source.metadata, self._source.streams[self.footage.stream].metadata)
        if self.footage.begins is not None and any("timecode" in these for these in tags):
            report(warning="the time code is left out, as it counts from the first frame of the clip")

    def _tell_starts(self, report: Report) -> None:
        """Name what AVI, which lets everything begin at once, does to sound that does not."""
        for index in self._streams:
            start = self._starts.get(index) if self._starts else first_time(self.footage.source, [index])
            off = float(start + self.shift) if start is not None else 0.0
            if abs(off) >= _NOTICED:
                report(warning=f"avi holds no start times: stream {index} is {off:+.2f} s away from where it belongs")

    def _take(self, track: Track, report: Report) -> None:
        """Add one track to the output, or say why not."""
        stream = self._source.streams[track.index]
        name = track.codec or (called(self.index, track) if self.index is not None else "")
        what = f"stream {track.index} ({name or 'unknown'} {track.kind})"
        if track.kind == "video" and not track.picture:
            return  # said at ingest
        if self._rewritten(track, stream):
            return
        if self.strip_location and track.kind in ("data", "attachment"):
            report(warning=f"{what} may tell the place and is left out")
        elif track.picture or track.kind == "attachment":
            self._attach(track, stream, what, report)
        elif not self.bounds.is_open and track.index not in self._starts:
            report(warning=f"{what} holds nothing in this part and is left out")
        elif not self._carries(track):
            report(warning=f"{what} cannot be copied into {self.container}")
        else:
            cut = not self.bounds.is_open
            added = _add(self.output, stream, strip_location=self.strip_location, coded_anew=cut)
            self._streams[track.index] = added
            self.copied.append([track.index, added.index])

    def _attach(self, track: Track, stream: Any, what: str, report: Report) -> None:  # noqa: ANN401 - PyAV stream
        """Take a cover picture or an attached file along; MP4's covers are put in after the muxer is done."""
        if track.picture:
            cover = covers(self.footage.source, [track.index]).get(track.index)
            if stream.disposition & Disposition.timed_thumbnails or cover is None:
                report(warning=f"{what} holds thumbnails and is left out")
                return
            if self.strip_location and b"Exif" in cover.data:
                report(warning=f"{what} may tell the place and is left out")
                return
            name, mime, data = cover.name, cover.mime, cover.data
            fits = cover.fits_mp4 and self.container in ("mp4", "mov")
        else:
            name, mime, data = stream.name or "attachment", stream.mimetype or "", stream.data
            fits = False
        if self.container == "matroska" and mime:
            added = self.output.add_attachment(name, mime, data)
            added.metadata.update({key: stream.metadata[key] for key in ("title",) if key in stream.metadata})
        elif not fits:
            report(warning=f"{what} cannot be kept in {self.container}")
            return
        self.attached.append(track.index)

    def _carries(self, track: Track) -> bool:
        """Whether the container takes the track whole."""
        options = {key: value for key, value in self.output.container_options.items() if key != "movflags"}
        trial = _trial(self.footage, track.index, self.container, options)
        if trial is None:
            return False
        if track.kind != "data" or self.container not in MP4_LIKE or _described(trial):
            return True
        return self.container == "mov" and self.index is not None and describable(self.index, track)

    def complete(self, part: Path, report: Report) -> None:
        """Put into a finished MP4 what the muxer has no word for."""
        if self.container not in MP4_LIKE:
            return
        pictures = covers(self.footage.source, self.attached) if self.attached else {}
        put_back(
            part,
            self.footage,
            self.index,
            {old: new for old, new in self.copied},
            list(pictures.values()),
            report,
            strip_location=self.strip_location,
        )

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
            tags = fresh(self._source.metadata, strip_location=strip, coded_anew=True)
            placed = self.index is not None and self.index.moov.find(b"udta", PLACE) is not None
            if placed and self.container in MP4_LIKE:
                tags = {key: value for key, value in tags.items() if not key.startswith("location")}
            stream = self._source.streams[self.footage.stream]
            video.metadata.update(fresh(stream.metadata, strip_location=strip, coded_anew=True))
            video.disposition = stream.disposition
            if self.footage.begins is not None:  # `_take_no_timecode` has said so
                video.metadata.pop("timecode", None)
                tags.pop("timecode", None)
            chapters = [moved for chapter in self._source.chapters() if (moved := self._moved(chapter)) is not None]
            if chapters:
                self.output.set_chapters(chapters)
        self.output.metadata.update(commented(tags, comment))

    def _moved(self, chapter: Any) -> Any:  # noqa: ANN401 - PyAV's dictionary
        """A chapter at its time in the output, cut to the part; None where it is not of it."""
        tick = Fraction(chapter["time_base"])
        whole = chapter["start"] * tick, chapter["end"] * tick
        inside = whole if self.bounds.is_open else self.bounds.trimmed(*whole)
        if inside is None:
            return None
        start, end = (round((time + self.shift) / tick) for time in inside)
        return {**chapter, "start": start, "end": end}

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
        for number, packet in packets_of(self._source, list(self._streams), self.bounds):
            move(packet, self.shift)
            packet.stream = self._streams[number]
            yield packet


def _add(output: Any, stream: Any, *, strip_location: bool = False, coded_anew: bool = False) -> Any:  # noqa: ANN401 - PyAV
    """A track like `stream` in `output`."""
    added = output.add_stream_from_template(stream, opaque=True)
    added.metadata.update(fresh(stream.metadata, strip_location=strip_location, coded_anew=coded_anew))
    if "handler_name" in stream.metadata:
        added.metadata["handler_name"] = stream.metadata["handler_name"]
    added.disposition = stream.disposition
    added.time_base = stream.time_base
    return added


def _trial(footage: Footage, index: int, container: str, options: dict[str, str]) -> bytes | None:
    """A file of the first packets of a track alone, None if `container` does not take them."""
    with open_source(footage.source, Limits()) as source:
        stream = source.streams[index]
        file = io.BytesIO()
        try:
            trial: Any = av.open(file, "w", format=container, container_options=options)
            added = _add(trial, stream)
            trial.start_encoding()
            for whole in islice(source.demux(stream), 3):
                for packet in single_frames(whole, codec_name(stream)) if whole.size and whole.dts is not None else ():
                    packet.stream = added
                    trial.mux(packet)
            trial.close()
        except (FFmpegError, ValueError, TypeError, AttributeError, UnicodeError, OSError):
            return None
    return file.getvalue()


def _described(trial: bytes) -> bool:
    """Whether the only track of an MP4 tells what its samples are."""
    index = read_index(io.BytesIO(trial))
    description = index.moov.find(b"trak", b"mdia", b"minf", b"stbl", b"stsd") if index is not None else None
    return description is not None and bool(description.inside)


def _index(footage: Footage) -> Index | None:
    """The index of an MP4, MOV or 3GP, or of the one in a motion photo; None where the source is none."""
    if footage.kind != "container" or not footage.container.startswith("mov"):
        return None
    return index_of(footage.source, *(embedded_video(footage.source) or ()))
