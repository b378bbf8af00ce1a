"""A plain H.264 clip from RGB frames: synthesised clips, tests, the demo."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.error import FFmpegError

from selfhvd.errors import OutputError, UsageError
from selfhvd.system.atomic import replacing
from selfhvd.video.colour import from_rgb
from selfhvd.video.footage import Color
from selfhvd.video.frame import Frame

_BT709 = Color(range=1, matrix=1, primaries=1, transfer=1)


_OPTIONS = {
    "h264": {"x264-params": "mbtree=0"},
    "hevc": {"x265-params": "log-level=error:pools=none:frame-threads=1"},
}


def encode_clip(
    frames: Iterable[Frame],
    destination: Path,
    *,
    rate: Fraction = Fraction(30),
    crf: int = 18,
    preset: str = "medium",
    codec: Literal["h264", "hevc"] = "h264",
) -> None:
    """Write RGB uint8 `frames` (`height width 3`) at `rate` frames per second; BT.709, no sound.

    Same frames, same bytes: x264's macroblock tree, which is not repeatable on small frames, is off, and x265 has one
    thread.
    """
    stream, count = None, 0
    name: Literal["libx264", "libx265"] = "libx264" if codec == "h264" else "libx265"
    options = {"crf": str(crf), "preset": preset, **_OPTIONS[codec]}
    try:
        with replacing(destination) as part, av.open(str(part), "w", format="mp4") as output:
            for count, image in enumerate(frames, 1):
                height, width = image.shape[:2]
                if stream is None:
                    stream = output.add_stream(name, rate=rate, options=options)
                    stream.width, stream.height = width, height
                    stream.pix_fmt = "yuv444p" if width % 2 or height % 2 else "yuv420p"
                    context = stream.codec_context
                    context.time_base = 1 / rate
                    context.color_range, context.colorspace = _BT709.range, _BT709.matrix
                    context.color_primaries, context.color_trc = _BT709.primaries, _BT709.transfer
                if (width, height) != (stream.width, stream.height):
                    raise UsageError(
                        f"frame {count - 1} is {width}x{height}, the first {stream.width}x{stream.height}."
                    )
                frame = from_rgb(image, _BT709, stream.pix_fmt or "yuv420p")
                frame.pts, frame.time_base = count - 1, 1 / rate
                output.mux(stream.encode(frame))
            if stream is None:
                raise UsageError("a clip needs at least one frame.")
            output.mux(stream.encode(None))
    except (OSError, FFmpegError) as error:
        raise OutputError(f"{destination} cannot be written ({error}).") from error
