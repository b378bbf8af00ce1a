"""Which container, codec and pixel format the restored video is written with."""

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from selfhvd.errors import UsageError
from selfhvd.video.footage import Color, Footage
from selfhvd.video.write import codecs

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
_BEST = 90.0
"""Quality that nobody sees a loss at; the default, where that is not far larger than the source."""
_LIKE_SOURCE = 1.25
"""The default's size as a part of the source's, in bytes a frame, where the best would be larger."""
_PLAIN = ("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mpeg2video", "h263", "wmv3", "vc1")
"""Codecs that clips are handed on in: their size is a measure of what the picture is worth."""
_PRORES = {"apco": "proxy", "apcs": "lt", "apcn": "standard", "apch": "hq", "ap4h": "4444", "ap4x": "4444xq"}


@dataclass(frozen=True)
class Coding:
    """What a person asks of the coding; the restored frames do not hang on it."""

    codec: codecs.CodecName = "auto"
    quality: float | int | None = None  # 0..100; None: as near the source's size as is not seen

    def check(self, destination: Path) -> None:
        """`UsageError` unless it makes sense and the container of `destination` carries the codec."""
        if self.quality is not None and not 0 <= self.quality <= 100:
            raise UsageError(f"The quality must be between 0 and 100, not {self.quality:g}.")
        if self.codec not in codecs.known_codecs():
            raise UsageError(f"{self.codec} is no codec to choose; use one of {' '.join(codecs.known_codecs())}.")
        if os.path.isdir(destination) or destination.suffix == "":  # Path.is_dir raises where a name is too long
            if self != Coding():
                raise UsageError("A folder of PNG frames has no codec and no quality to choose; leave them out.")
            return
        if destination.suffix.lower() not in CONTAINERS:
            return  # refused by `check_destination`, with what can be written
        carried = codecs.CARRIED[CONTAINERS[destination.suffix.lower()]]
        if self.codec != "auto" and codecs.ENCODERS[self.codec] not in carried:
            can = ", ".join(codecs.of_encoder(encoder) for encoder in carried)
            raise UsageError(f"{destination.name} cannot hold {codecs.spoken(self.codec)}; it can hold {can}.")
        if self.codec in ("prores", "ffv1") and self.quality is not None:
            raise UsageError(f"{codecs.spoken(self.codec)} has no quality to choose; leave it out.")


@dataclass(frozen=True)
class Plan:
    """How one restored video is coded."""

    container: str  # FFmpeg's muxer
    codec: str  # FFmpeg's encoder
    pixel_format: str
    width: int  # pixels, those of the source or one more
    height: int
    color: Color  # tags of the result
    quality: float | int | None  # 0..100, None where the codec has none
    room: float | None  # at most so many times the source's bytes; None: whatever the quality takes
    extra: dict[str, str]  # for the encoder, beside its quality
    warnings: tuple[str, ...] = ()

    def options(self, crf: float | int | None = None) -> dict[str, str]:
        """For the encoder; `crf` instead of the quality's own."""
        if self.quality is None:
            return dict(self.extra)
        return {"crf": f"{codecs.crf_of(self.quality, self.codec) if crf is None else crf:g}", **self.extra}


def container_of(destination: Path) -> str:
    """FFmpeg's muxer for a destination, by its suffix."""
    return CONTAINERS[destination.suffix.lower()]


def plan(footage: Footage, destination: Path, coding: Coding = Coding()) -> Plan:
    """Choose so that size, depth and family of the source are kept, and the container can carry it."""
    container = container_of(destination)
    codec = _codec(footage, container, coding)
    notes = _said(footage, codec)
    pixel_format, lost = _pixel_format(footage, codec)
    width, height = _even(footage, codec, pixel_format)
    if (width, height) != (footage.width, footage.height):
        notes.append(
            f"the picture becomes {width}x{height} pixels, its last column or row doubled, as"
            f" {codecs.spoken(codecs.of_encoder(codec))} that plays everywhere has even sides"
        )
    fixed = codec in codecs.LOSSLESS_OR_FIXED
    if fixed and coding.quality is not None:
        notes.append(f"{codecs.spoken(codecs.of_encoder(codec))} has no quality to choose; it was passed over")
    return Plan(
        container,
        codec,
        pixel_format,
        width,
        height,
        written_color(footage, pixel_format),
        None if fixed else _BEST if coding.quality is None else coding.quality,
        None if fixed or coding.quality is not None else _room(footage, codec),
        _extra(footage, codec, pixel_format),
        (*notes, *lost),
    )


def _codec(footage: Footage, container: str, coding: Coding) -> str:
    """The encoder: that asked for, or the source's family, or the container's first; one that takes so few pixels."""
    carried = codecs.CARRIED[container]
    usual = "libx265" if footage.depth > 8 and "libx265" in carried else carried[0]
    own = {"vp8": "vp9"}.get(codecs.family(footage.codec), codecs.family(footage.codec))
    codec = codecs.ENCODERS.get(own if coding.codec == "auto" else coding.codec, usual)
    codec = codec if codec in carried else usual
    odd = footage.width % 2 == 1 or footage.height % 2 == 1
    small = min(footage.width, footage.height) < 64
    if codec == "libsvtav1" and (small or (odd and coding.codec == "auto")):
        codec = "libvpx-vp9" if "libvpx-vp9" in carried else carried[0]
    return "libx264" if codec == "libx265" and small else codec


def _said(footage: Footage, codec: str) -> list[str]:
    """A change of codec, in words; pictures of a folder have none to keep."""
    before, now = codecs.family(footage.codec), codecs.of_encoder(codec)
    if footage.kind == "images" or before == now:
        return []
    return [f"the result is {codecs.spoken(now)}; the source was {codecs.spoken(before)}"]


def written_color(footage: Footage, pixel_format: str) -> Color:
    """The tags of the result: the source's own; an RGB source gets the matrix of its size, and says so.

    BT.709 for HD, 720 lines or 1280 columns and up, BT.601 below; what an RGB source says of primaries and transfer is
    kept, else those of BT.709, which are sRGB's primaries.
    """
    color = footage.color
    if footage.kind == "images" or not is_rgb(footage.pixel_format) or is_rgb(pixel_format):
        return color
    large = footage.height >= 720 or footage.width >= 1280
    matrix = color.matrix if color.matrix not in (0, 2) else (1 if large else 6)
    known = [value if value != 2 else 1 for value in (color.primaries, color.transfer)]
    return Color(1, matrix, *known)


def is_rgb(pixel_format: str) -> bool:
    """Whether pixels are stored as red, green and blue, or as numbers into a table of them."""
    return pixel_format == "pal8" or av.VideoFormat(pixel_format).is_rgb


def frame_rate(footage: Footage) -> Fraction:
    """Average frames per second, for the encoder's rate control only; true times go to the container."""
    span = (footage.times[-1] - footage.times[0]) * footage.time_base
    rate = Fraction(footage.count - 1) / span if span > 0 else Fraction(30)
    return min(max(rate, Fraction(1)), Fraction(480)).limit_denominator(1001)


def _pixel_format(footage: Footage, codec: str) -> tuple[str, list[str]]:
    """The source's chroma layout and depth where the encoder has it and players are used to it; what is lost."""
    formats = [item.name for item in av.Codec(codec, "w").video_formats or ()]
    if codec == "ffv1" and is_rgb(footage.pixel_format):
        depth = next(bits for bits in (8, 10, 12, 14, 16) if bits >= min(footage.depth, 16))
        return ("bgr0" if depth == 8 else f"gbrp{depth}le"), []
    wanted, chroma = _stored_chroma(footage), _chroma(footage, codec)
    lost = ["colours are kept at half the size (4:2:0), which plays everywhere"] if chroma < wanted else []
    most = 16 if codecs.of_encoder(codec) == codecs.family(footage.codec) else 10  # of the others players know no more
    least = 10 if codec == "prores_ks" else 8
    for depth in (16, 14, 12, 10, 8):
        name = f"yuv{chroma}p" + ("" if depth == 8 else f"{depth}le")
        if depth <= min(max(footage.depth, least), most) and name in formats:
            if depth < footage.depth and footage.kind == "container":
                lost.append(f"{footage.depth} bits per channel become {depth}")
            return name, lost
    return "yuv420p", [f"{footage.depth}-bit {footage.pixel_format} becomes 8-bit yuv420p"]


def _stored_chroma(footage: Footage) -> str:
    """The layout of the source: 420, 422 or 444; of images 420, as nobody asks more of a folder of them."""
    if is_rgb(footage.pixel_format):
        return "420" if footage.kind == "images" else "444"
    layouts = {"422": "422", "444": "444", "440": "444"}
    return next((ours for theirs, ours in layouts.items() if theirs in footage.pixel_format), "420")


def _chroma(footage: Footage, codec: str) -> str:
    """Chroma at half the size both ways, which plays everywhere, but where the source was a video with more."""
    stored, before = _stored_chroma(footage), codecs.family(footage.codec)
    if codec == "prores_ks":
        return "444" if footage.profile in ("ap4h", "ap4x") or (before != "prores" and stored == "444") else "422"
    return stored if codec == "ffv1" or before in ("h264", "hevc", "vp8", "vp9", "av1") else "420"


def _even(footage: Footage, codec: str, pixel_format: str) -> tuple[int, int]:
    """The size, made even where halved chroma needs it: only VP9 and FFV1 take odd sides then."""
    width, height = footage.width, footage.height
    if codec in ("libvpx-vp9", "ffv1") or "444" in pixel_format:
        return width, height
    across = "420" in pixel_format or "422" in pixel_format
    return width + (width % 2 if across else 0), height + (height % 2 if "420" in pixel_format else 0)


def _room(footage: Footage, codec: str) -> float | None:
    """How many times the source's bytes the result may take; None where those say nothing."""
    source = codecs.family(footage.codec)
    if not footage.sizes or source not in _PLAIN:
        return None
    return _LIKE_SOURCE * codecs.allowance(source, codec)


def _extra(footage: Footage, codec: str, pixel_format: str) -> dict[str, str]:
    """Encoder options beside the quality; no frame reordering, so that times need no edit list."""
    if codec == "libx264":
        # Without the last, its macroblock tree depends on what lies in memory: each run writes other frames.
        return {"preset": "medium", "bf": "0", "x264-params": "cpu-independent=1"}
    if codec == "libx265":
        extra = ["log-level=none", "bframes=0"]
        if footage.mastering:
            extra += ["hdr10=1", f"master-display={footage.mastering}"]
        if footage.light:
            extra.append(f"max-cll={footage.light}")
        return {"preset": "fast", "x265-params": ":".join(extra)}
    if codec == "libvpx-vp9":
        return {"b": "0", "deadline": "good", "cpu-used": "3", "row-mt": "1", "lag-in-frames": "0"}
    if codec == "prores_ks":
        usual = "4444" if "444" in pixel_format else "hq"
        return {"profile": _PRORES.get(footage.profile, usual), "vendor": "apl0"}
    if codec == "ffv1":
        return {"level": "3", "slicecrc": "1"}
    return {"preset": "6", "svtav1-params": "pred-struct=1"}
