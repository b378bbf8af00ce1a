"""The stream of restored pictures in an output, with its encoder and its tags."""

from typing import Any

from selfhvd.video.footage import Footage
from selfhvd.video.write.encoder_choice import MP4_LIKE, Plan, frame_rate, is_rgb


def video_stream(output: Any, footage: Footage, chosen: Plan, options: dict[str, str]) -> Any:  # noqa: ANN401 - PyAV objects
    """The stream of restored pictures, upright, with the source's colour tags."""
    rate = frame_rate(footage)
    stream = output.add_stream(chosen.codec, rate=rate, options=options)
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = chosen.width, chosen.height, chosen.pixel_format
    context.time_base = footage.time_base if chosen.container == "avi" else 1 / rate
    context.framerate = 1 / footage.time_base if chosen.container == "avi" else rate
    context.color_range = chosen.color.range
    context.colorspace = _matrix(chosen)
    context.color_primaries = chosen.color.primaries
    context.color_trc = chosen.color.transfer
    context.sample_aspect_ratio = footage.sample_aspect_ratio
    if chosen.codec == "libx265" and chosen.container in MP4_LIKE:
        context.codec_tag = "hvc1"
    stream.time_base = footage.time_base
    return stream


def _matrix(chosen: Plan) -> int:
    """The tag for the encoder: GBR's 0 only where RGB is written."""
    return chosen.color.matrix if chosen.color.matrix or is_rgb(chosen.pixel_format) else 2
