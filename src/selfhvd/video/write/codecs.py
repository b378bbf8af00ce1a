"""Codecs of the result: what people call them, which container carries them, and how quality is told to each."""

from typing import Literal, get_args

CodecName = Literal["auto", "h264", "hevc", "av1", "vp9", "prores", "ffv1"]
"""What a person may ask for; `auto` keeps the source's own where the container carries it."""

ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "prores": "prores_ks",
    "ffv1": "ffv1",
}
LOSSLESS_OR_FIXED = ("prores_ks", "ffv1")
"""Encoders without a quality to choose."""
CARRIED = {
    "mp4": ("libx264", "libx265", "libsvtav1"),
    "mov": ("libx264", "libx265", "prores_ks"),
    "3gp": ("libx264",),
    "matroska": ("libx264", "libx265", "libvpx-vp9", "libsvtav1", "prores_ks", "ffv1"),
    "webm": ("libvpx-vp9", "libsvtav1"),
    "avi": ("libx264", "ffv1"),
    "mpegts": ("libx264", "libx265"),
}
"""By FFmpeg's muxer; the first is taken where the source's own codec is not among them."""
_SPOKEN = {
    "h264": "H.264", "hevc": "H.265", "av1": "AV1", "vp8": "VP8", "vp9": "VP9", "prores": "ProRes", "ffv1": "FFV1",
    "mpeg4": "MPEG-4", "mpeg2video": "MPEG-2", "mpeg1video": "MPEG-1", "mjpeg": "Motion JPEG", "dnxhd": "DNxHD",
    "h263": "H.263", "gif": "a GIF", "png": "PNG", "apng": "an animated PNG", "rawvideo": "uncompressed",
    "msmpeg4v3": "MS MPEG-4", "wmv3": "Windows Media", "wmv2": "Windows Media", "vc1": "VC-1", "dvvideo": "DV",
    "qtrle": "QuickTime Animation", "utvideo": "Ut Video", "theora": "Theora", "webp": "a WebP",
}  # fmt: skip
_DECODERS = {"libdav1d": "av1", "libaom-av1": "av1", "libvpx": "vp8", "libvpx-vp9": "vp9"}
_SHARE = {"h264": 1.0, "hevc": 0.7, "vp9": 0.7, "av1": 0.55}
"""Bits that a codec needs for the same picture, of H.264's, about."""


def family(decoder: str) -> str:
    """The codec that a decoder (FFmpeg's name) reads."""
    return _DECODERS.get(decoder, decoder)


def of_encoder(encoder: str) -> str:
    """The codec that an encoder (FFmpeg's name) writes."""
    return next(name for name, known in ENCODERS.items() if known == encoder)


def spoken(codec: str) -> str:
    """What people call a codec."""
    return _SPOKEN.get(codec, codec)


def allowance(source: str, encoder: str) -> float:
    """How much larger the same picture is as `encoder` writes it than in the codec `source`, at least 1."""
    return max(1.0, _SHARE.get(of_encoder(encoder), 1.0) / _SHARE.get(source, 1.0))


def known_codecs() -> tuple[str, ...]:
    """What `--codec` takes."""
    return get_args(CodecName)


def crf_of(quality: float | int, encoder: str) -> float | int:
    """The encoder's constant rate factor for a quality of 0 (worst) to 100; smaller is better and larger."""
    return _SCALE[encoder](48 - 0.4 * quality)


def halving(encoder: str) -> float:
    """By how much the rate factor rises until about half of the bits are left."""
    return 6.0 if encoder in ("libx264", "libx265") else 8.0


def _as_it_is(crf: float | int) -> float | int:
    return crf


def _to_63(crf: float | int) -> int:
    """x264's scale onto the 0..63 of VP9 and AV1."""
    return round(min(63.0, 1.25 * crf))


_SCALE = {"libx264": _as_it_is, "libx265": _as_it_is, "libvpx-vp9": _to_63, "libsvtav1": _to_63}
