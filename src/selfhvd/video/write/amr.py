"""AMR speech in 3GP: phones put several frames of 20 ms into one packet, FFmpeg's muxer takes them one by one."""

from collections.abc import Iterator
from typing import Any

import av

# Bytes of a frame by its mode, its first byte included (3GPP TS 26.101 annex A, TS 26.201 annex A; storage format).
_NARROW = (13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1)
_WIDE = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 1, 1, 1, 1, 1, 1)
_FRAMES_A_SECOND = 50


def frame_sizes(codec: str) -> tuple[int, ...] | None:
    """Bytes of a frame by mode, None for what is no AMR."""
    if "amr" not in codec:
        return None
    return _WIDE if "wb" in codec else _NARROW


def single_frames(packet: Any, codec: str) -> Iterator[Any]:  # noqa: ANN401 - PyAV packets
    """The packet itself, or one packet for each AMR frame in it; a packet that does not add up stays whole."""
    sizes = frame_sizes(codec)
    parts = None if sizes is None else _cut(bytes(packet), sizes)
    if parts is None or len(parts) < 2:
        yield packet
        return
    step = round(1 / (_FRAMES_A_SECOND * packet.time_base))
    start = packet.pts if packet.pts is not None else packet.dts
    for number, part in enumerate(parts):
        frame: Any = av.Packet(part)
        frame.pts = frame.dts = start + number * step
        frame.duration, frame.time_base = step, packet.time_base
        frame.is_keyframe = True
        yield frame


def _cut(data: bytes, sizes: tuple[int, ...]) -> list[bytes] | None:
    """The frames in `data`, None if they do not fill it exactly."""
    parts: list[bytes] = []
    place = 0
    while place < len(data):
        size = sizes[data[place] >> 3 & 15]
        parts.append(data[place : place + size])
        place += size
    return parts if place == len(data) else None
