"""Transparency: whether a picture really has any, not only a place for it."""

from typing import Any

import av


def see_through(frame: av.VideoFrame) -> bool:
    """Whether a pixel of the frame is not opaque."""
    has_place = frame.format.name == "pal8" or any(part.is_alpha for part in frame.format.components)
    if not has_place:
        return False
    alpha = frame.reformat(format="rgba", threads=1).to_ndarray()[..., 3]
    return bool(alpha.min() < 255)


def marked_transparent(stream: Any) -> bool:  # noqa: ANN401 - PyAV's stream
    """Whether the container says so beside the picture, as WebM does: FFmpeg's own decoder leaves it out."""
    return any(key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items())
