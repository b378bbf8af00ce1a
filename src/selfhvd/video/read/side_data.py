"""Side data of decoded frames: display matrix, HDR10 numbers, Dolby Vision, and what cannot be kept."""

import struct
from typing import Any

import av
from av.sidedata.sidedata import Type


def side_data(frame: av.VideoFrame, kind: Type) -> bytes | None:
    """The bytes of one kind of side data, None if the frame has none."""
    sides: Any = frame.side_data
    data = sides.get(kind)
    return None if data is None else bytes(data)


def mastering(frame: av.VideoFrame) -> str:
    """HDR10 mastering display as x265 spells it: primaries in 1/50000, luminance in 1/10000 cd/m2."""
    data = side_data(frame, Type.MASTERING_DISPLAY_METADATA)
    if data is None:
        return ""
    numbers = struct.unpack("<22i", data[:88])
    if not (numbers[20] and numbers[21]):
        return ""
    values = [numbers[i] / max(1, numbers[i + 1]) for i in range(0, 20, 2)]
    rx, ry, gx, gy, bx, by, wx, wy = (round(v * 50000) for v in values[:8])
    low, high = (round(v * 10000) for v in values[8:])
    return f"G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({high},{low})"


def light(frame: av.VideoFrame) -> str:
    """HDR10 content light level, "max-cll,max-fall" in cd/m2."""
    data = side_data(frame, Type.CONTENT_LIGHT_LEVEL)
    return "" if data is None else "{},{}".format(*struct.unpack("<2I", data[:8]))


def dolby_vision(frame: av.VideoFrame) -> bool:
    """Whether the frame carries Dolby Vision metadata."""
    kinds = (Type.DOVI_METADATA, Type.DOVI_RPU_BUFFER)
    return any(side_data(frame, kind) is not None for kind in kinds)


# What pictures carry beside their pixels, and no encoder here takes.
_DROPPED = {
    Type.DYNAMIC_HDR_PLUS: "HDR10+ metadata",
    Type.DYNAMIC_HDR_VIVID: "HDR Vivid metadata",
    Type.AMBIENT_VIEWING_ENVIRONMENT: "what is said of the light in the room",
    Type.A53_CC: "closed captions in the picture",
    Type.S12M_TIMECODE: "time code in the picture",
    Type.GOP_TIMECODE: "time code in the picture",
    Type.ICC_PROFILE: "the colour profile",
    Type.PANSCAN: "pan and scan",
    Type.AFD: "the active part of the picture (AFD)",
}


def dropped(frame: av.VideoFrame) -> set[str]:
    """In words what the frame carries that the result will not."""
    sides: Any = frame.side_data
    return {_DROPPED[data.type] for data in sides if data.type in _DROPPED}


def marks(frame: av.VideoFrame) -> tuple[str, ...]:
    """How the picture is to be looked at: "360-degree", "3D"."""
    stereo = side_data(frame, Type.STEREO3D)
    deep = stereo is not None and struct.unpack("<i", stereo[:4])[0] != 0
    around = side_data(frame, Type.SPHERICAL) is not None
    return (*(("360-degree",) if around else ()), *(("3D",) if deep else ()))
