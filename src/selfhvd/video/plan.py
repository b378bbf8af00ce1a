"""Which container, codec and pixel format the restored video is written with."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from selfhvd.video.footage import Footage

# File suffix -> FFmpeg's muxer.
CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".3gp": "3gp",
    ".mkv": "matroska",
    ".webm": "webm",
    ".avi": "avi",
    ".ts": "mpegts",
    ".mts": "mpegts",
    ".m2ts": "mpegts",
}
MP4_LIKE = ("mp4", "mov", "3gp")
_FAMILY = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp8": "libvpx-vp9",
    "vp9": "libvpx-vp9",
    "libvpx": "libvpx-vp9",
    "libvpx-vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "libdav1d": "libsvtav1",
}
_CARRIED = {
    "mp4": ("libx264", "libx265", "libsvtav1"),
    "mov": ("libx264", "libx265"),
    "3gp": ("libx264",),
    "matroska": ("libx264", "libx265", "libvpx-vp9", "libsvtav1"),
    "webm": ("libvpx-vp9", "libsvtav1"),
    "avi": ("libx264",),
    "mpegts": ("libx264", "libx265"),
}
# Constant quality at which re-encoding is not seen; smaller is better and larger files.
_CRF = {"libx264": 12, "libx265": 12, "libvpx-vp9": 10, "libsvtav1": 10}


@dataclass(frozen=True)
class Plan:
    """How one restored video is coded."""

    container: str  # FFmpeg's muxer
    codec: str  # FFmpeg's encoder
    pixel_format: str
    options: dict[str, str]  # for the encoder
    warnings: tuple[str, ...] = ()


def container_of(destination: Path) -> str:
    """FFmpeg's muxer for a destination, by its suffix."""
    return CONTAINERS[destination.suffix.lower()]


def plan(footage: Footage, destination: Path, crf: int | None = None) -> Plan:
    """Choose so that size, depth and family of the source are kept, and the container can carry it."""
    container = container_of(destination)
    odd = footage.width % 2 == 1 or footage.height % 2 == 1
    carried = _CARRIED[container]
    codec = _FAMILY.get(footage.codec, carried[0])
    codec = codec if codec in carried else carried[0]
    if codec == "libsvtav1" and (odd or min(footage.width, footage.height) < 64):
        codec = "libvpx-vp9" if "libvpx-vp9" in carried else carried[0]
    if codec == "libx265" and min(footage.width, footage.height) < 64:
        codec = "libx264"
    pixel_format, notes = _pixel_format(footage, codec, odd)
    return Plan(container, codec, pixel_format, _options(footage, codec, crf), notes)


def frame_rate(footage: Footage) -> Fraction:
    """Average frames per second, for the encoder's rate control only; true times go to the container."""
    span = (footage.times[-1] - footage.times[0]) * footage.time_base
    rate = Fraction(footage.count - 1) / span if span > 0 else Fraction(30)
    return min(max(rate, Fraction(1)), Fraction(480)).limit_denominator(1001)


def _pixel_format(footage: Footage, codec: str, odd: bool) -> tuple[str, tuple[str, ...]]:
    """The source's chroma layout and depth where the encoder has it; 4:4:4 for odd sizes."""
    chroma = "420"
    for layout in ("422", "444", "440"):
        if layout in footage.pixel_format:
            chroma = "422" if layout == "422" else "444"
    if footage.kind == "container" and footage.pixel_format.startswith(("gbr", "rgb", "bgr")):
        chroma = "444"
    if footage.codec == "gif":
        chroma = "420"
    if odd:
        chroma = "444"
    formats = [item.name for item in av.Codec(codec, "w").video_formats or ()]
    for depth in (12, 10, 8):
        name = f"yuv{chroma}p" + ("" if depth == 8 else f"{depth}le")
        if depth <= max(footage.depth, 8) and name in formats:
            asked = min(footage.depth, 12) if footage.kind == "container" else depth
            lost = (f"{footage.depth} bits per channel become {depth}",) if depth < asked else ()
            return name, lost
    return "yuv420p", (f"{footage.depth}-bit {footage.pixel_format} becomes 8-bit yuv420p",)


def _options(footage: Footage, codec: str, crf: int | None) -> dict[str, str]:
    """Encoder options: constant quality, and no frame reordering, so that times need no edit list."""
    quality = str(_CRF[codec] if crf is None else crf)
    if codec == "libx264":
        return {"crf": quality, "preset": "medium", "bf": "0"}
    if codec == "libx265":
        extra = ["log-level=none", "bframes=0"]
        if footage.mastering:
            extra += ["hdr10=1", f"master-display={footage.mastering}"]
        if footage.light:
            extra.append(f"max-cll={footage.light}")
        return {"crf": quality, "preset": "fast", "x265-params": ":".join(extra)}
    if codec == "libvpx-vp9":
        return {
            "crf": quality,
            "b": "0",
            "deadline": "good",
            "cpu-used": "4",
            "row-mt": "1",
            "lag-in-frames": "0",
        }
    return {"crf": quality, "preset": "8", "svtav1-params": "pred-struct=1"}
