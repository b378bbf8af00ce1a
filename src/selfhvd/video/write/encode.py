"""Encode and mux the restored frames. Runs in the child process, which reads raw frames from its input."""

import os
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
from av.error import FFmpegError

from selfhvd.errors import InputError, OutputError
from selfhvd.video.colour import from_rgb
from selfhvd.video.footage import Footage
from selfhvd.video.frame import Frame
from selfhvd.video.process.protocol import Report
from selfhvd.video.write.decode_times import decode_times
from selfhvd.video.write.encoder_choice import MP4_LIKE, Coding, Plan, plan
from selfhvd.video.write.picture_stream import video_stream
from selfhvd.video.write.rate_fitting import fitted
from selfhvd.video.write.remux import Copier
from selfhvd.video.write.time_shift import moved


class Bytes(Protocol):
    """Where raw frames come from."""

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes; fewer at the end."""
        ...


def encode(footage: Footage, request: dict[str, Any], frames: Bytes, report: Report) -> None:
    """Write `request["part"]` from raw RGB `frames` and the other tracks of the source."""
    chosen = plan(footage, Path(request["destination"]), Coding(**request["coding"]))
    for note in chosen.warnings:
        report(warning=note)
    part = Path(request["part"])
    try:
        _write(footage, chosen, part, frames, request, report)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
    except (InputError, OutputError, BrokenPipeError):
        part.unlink(missing_ok=True)  # the parent may be gone
        raise
    except (FFmpegError, OSError) as error:
        part.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(
            f"{request['destination']} cannot be written ({reason}); check space and rights there."
        ) from error


def _write(footage: Footage, chosen: Plan, part: Path, frames: Bytes, request: dict[str, Any], report: Report) -> None:
    """Frame by frame: read, encode, mux, and between them the packets of the other tracks up to that time."""
    with ExitStack() as stack:
        output: Any = stack.enter_context(
            av.open(str(part), "w", format=chosen.container, container_options=_mux_options(footage, chosen))
        )

        def picture(image: Frame) -> av.VideoFrame:
            return from_rgb(_padded(image, chosen), chosen.color, chosen.pixel_format)

        pictures = (picture(_read(frames, footage)) for _ in range(footage.count))
        options, pictures = fitted(pictures, footage, chosen, lambda index: picture(footage.frame(index)))
        stream = video_stream(output, footage, chosen, options)
        copier = Copier(
            footage, output, chosen.container, stack, report, strip_location=request.get("strip_location", False)
        )
        copier.describe(stream, request["comment"])
        output.start_encoding()
        muxer = _Muxer(output, stream, moved(footage, copier.shift), copier)
        for index, frame in enumerate(pictures):
            frame.pts, frame.time_base = index, stream.codec_context.time_base
            muxer.encode(frame)
            report(frame=index + 1, total=footage.count)
        muxer.encode(None)
        copier.copy_until(None)
        if muxer.done != footage.count:
            raise OutputError(f"{part.name}: the encoder returned {muxer.done} of {footage.count} frames.")
    copier.complete(part, report)
    size = [chosen.width, chosen.height]
    report(copied=copier.copied, attached=copier.attached, shift=str(copier.shift), size=size)


def _mux_options(footage: Footage, chosen: Plan) -> dict[str, str]:
    """Muxer options that keep times to the tick."""
    if chosen.container in MP4_LIKE:
        flags = "+faststart" + ("+use_metadata_tags" if chosen.container != "3gp" else "")
        scale = str(footage.time_base.denominator)
        return {
            "video_track_timescale": scale,
            "movie_timescale": scale,
            "movflags": flags,
        }
    if chosen.container == "mpegts":
        blu_ray = footage.source.suffix.lower() in (".mts", ".m2ts")
        return {"mpegts_m2ts_mode": "1" if blu_ray else "0", "mpegts_copyts": "1"}
    # Sound that starts a little before zero must not push the picture back.
    return {"avoid_negative_ts": "disabled"} if chosen.container in ("matroska", "avi") else {}


def _padded(image: Frame, chosen: Plan) -> Frame:
    """The picture with its last column and row doubled where the plan is a pixel larger."""
    height, width, _ = image.shape
    if (width, height) == (chosen.width, chosen.height):
        return image
    return np.pad(image, ((0, chosen.height - height), (0, chosen.width - width), (0, 0)), mode="edge")


def _read(frames: Bytes, footage: Footage) -> Frame:
    """The next frame; a parent that stops early leaves no finished file."""
    kind = np.uint8 if footage.depth == 8 else np.uint16
    size = footage.width * footage.height * 3 * np.dtype(kind).itemsize
    data = frames.read(size)
    if len(data) != size:
        raise OutputError("fewer frames were written than the source has; nothing is kept.")
    return np.frombuffer(data, kind).reshape(footage.height, footage.width, 3)


class _Muxer:
    """Muxes the encoder's packets with the true times of their frames, the copied packets in between."""

    def __init__(self, output: Any, stream: Any, footage: Footage, copier: Copier) -> None:  # noqa: ANN401
        self.output, self.stream, self.footage, self.copier = output, stream, footage, copier
        self.decodes = decode_times(footage.times)
        self.done = 0  # frames muxed

    def encode(self, frame: av.VideoFrame | None) -> None:
        """Encode one frame (None: what the encoder still holds) and mux what comes out."""
        footage = self.footage
        for packet in self.stream.encode(frame):
            index, self.done = self.done, self.done + 1
            packet.pts, packet.dts = footage.times[index], self.decodes[index]
            packet.time_base = footage.time_base
            packet.duration = footage.durations[index] or _gap(footage, index)
            packet.stream = self.stream
            self.copier.copy_until(footage.seconds(index))
            self.output.mux(packet)


def _gap(footage: Footage, index: int) -> int:
    """Ticks from frame `index` to the next (or from the one before, at the end)."""
    if footage.count == 1:
        return max(1, round(Fraction(1, 30) / footage.time_base))
    here = min(index, footage.count - 2)
    return max(1, footage.times[here + 1] - footage.times[here])
