"""Tiny films by the knob: codec, pixels, times, tags, sound and other tracks, as odd as asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

SIZE = (96, 64)
TICK = Fraction(1, 90000)
STEADY = tuple(range(0, 36000, 3000))  # 12 frames, 30 a second


@dataclass(frozen=True)
class Film:
    """What `shoot` makes; everything has an ordinary default."""

    codec: str = "libx264"
    pixels: str = "yuv420p"
    size: tuple[int, int] = SIZE
    times: Sequence[int | None] = STEADY  # ticks of 1/90000 s
    color: tuple[int, int, int, int] = (0, 2, 2, 2)  # range, matrix, primaries, transfer
    options: dict[str, str] = field(default_factory=dict)
    mux: dict[str, str] = field(default_factory=dict)
    rotation: int = 0
    mirrored: bool = False
    aspect: Fraction | None = None
    sound: tuple[str, ...] = ()  # one encoder a track
    late: float = 0.0  # seconds that the sound starts after zero
    metadata: dict[str, str] = field(default_factory=dict)
    extra: Callable[[Any], Callable[[], None]] | None = None  # adds tracks; what it returns writes their packets


def picture(index: int, width: int, height: int) -> np.ndarray:
    """Texture that moves by a pixel a frame; three frames of four are blurred sideways."""
    rng = np.random.default_rng(3)
    wide = np.kron(rng.integers(30, 226, (height // 6 + 2, width // 6 + 8, 3)), np.ones((6, 6, 1)))
    image = wide[:height, index : index + width].astype(np.uint8)
    return image if index % 4 == 0 else cv2.blur(image, (7, 1)).reshape(image.shape)


def shoot(path: Path, film: Film = Film(), container: str | None = None) -> Path:
    """Write the film."""
    mux = {"video_track_timescale": "90000"} if path.suffix in (".mp4", ".mov", ".3gp") else {}
    with av.open(str(path), "w", format=container, container_options=mux | film.mux) as out:
        out.metadata.update(film.metadata)
        stream = _picture_track(out, film)
        sounds = [_sound_track(out, name) for name in film.sound]
        write_extra = film.extra(out) if film.extra else None
        for index, time in enumerate(film.times):
            out.mux(stream.encode(_frame(index, time, film)))
        out.mux(stream.encode(None))
        for track in sounds:
            _play(out, track, film.late)
        if write_extra is not None:
            write_extra()
    return path


def _picture_track(out: Any, film: Film) -> Any:
    quick = {
        "libx264": {"preset": "ultrafast", "crf": "16"},
        "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
    }
    quick["libsvtav1"] = {"preset": "12"}
    quick["libvpx-vp9"] = {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"}
    stream = out.add_stream(film.codec, rate=30, options=quick.get(film.codec, {}) | film.options)
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = *film.size, film.pixels
    context.time_base = Fraction(1, 30) if film.codec in ("mpeg4", "h263", "mpeg2video", "gif") else TICK
    context.color_range, context.colorspace, context.color_primaries, context.color_trc = film.color
    if film.aspect:
        context.sample_aspect_ratio = film.aspect
    if film.rotation or film.mirrored:
        stream.set_display_rotation(film.rotation, hflip=film.mirrored)
    return stream


def _frame(index: int, time: int | None, film: Film) -> av.VideoFrame:
    base = Fraction(1, 30) if film.codec in ("mpeg4", "h263", "mpeg2video", "gif") else TICK
    image = picture(index, *film.size).astype(np.uint16) * 257
    matrix = {1: 1, 9: 9}.get(film.color[1], 5)
    frame = av.VideoFrame.from_ndarray(image, format="rgb48le").reformat(
        format=film.pixels, dst_colorspace=matrix, dst_color_range=film.color[0] or 1
    )
    frame.pts = None if time is None else round(time * TICK / base)
    frame.time_base = base
    return frame


def _sound_track(out: Any, name: str) -> Any:
    if name == "libopencore_amrnb":
        return out.add_stream(name, rate=8000, layout="mono")
    return out.add_stream(name, rate=48000, layout="stereo")


def _play(out: Any, track: Any, late: float) -> None:
    """A third of a second of a low tone, in steps that suit every encoder."""
    rate, channels = track.rate, 1 if track.rate == 8000 else 2
    step = track.codec_context.frame_size or 1024
    for start in range(0, rate * 2 // 5, step):
        wave = (8000 * np.sin(np.arange(start, start + step) / 20)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(
            np.repeat(wave, channels)[None], format="s16", layout="mono" if channels == 1 else "stereo"
        )
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), start + int(late * rate)
        resampler = av.AudioResampler(format=track.format.name, layout=frame.layout, rate=rate)
        for part in resampler.resample(frame):
            part.pts, part.time_base = start + int(late * rate), Fraction(1, rate)
            out.mux(track.encode(part))
    out.mux(track.encode(None))


def texts(codec: str, lines: Sequence[bytes]) -> Callable[[Any], Callable[[], None]]:
    """A subtitle or data track of `codec` with one packet every 0.1 s."""

    def add(out: Any) -> Callable[[], None]:
        stream = out.add_data_stream(codec) if codec in ("klv", "bin_data") else out.add_mux_stream(codec)

        def write() -> None:
            for number, line in enumerate(lines):
                packet = av.Packet(line)
                packet.stream, packet.time_base = stream, Fraction(1, 1000)
                packet.pts = packet.dts = number * 100
                packet.duration = 100
                out.mux(packet)

        return write

    return add
