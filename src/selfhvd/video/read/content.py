"""What kind of video a file is by its content, where its name does not tell: `.LRV`, `.MP~2`, `.insv`, no suffix."""

from pathlib import Path

from selfhvd.video.read.boxes import has_video_track
from selfhvd.video.read.motion_photo import JPEG, embedded_video
from selfhvd.video.read.stills import is_animation
from selfhvd.video.write.encoder_choice import CONTAINERS

_HEAD = 1024
_MATROSKA = b"\x1a\x45\xdf\xa3"
_QUICKTIME = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_SYNC, _PACKET = b"G", 188
"""The first byte of every packet of a transport stream, and their length in bytes; Blu-ray puts four before each."""


def own_suffix(path: Path) -> str:
    """The suffix whose container a file keeps when it is copied as it is, "" where that cannot be written.

    The name tells it where it is one of ours, else the content.
    """
    return path.suffix if path.suffix.lower() in CONTAINERS else _told_by_content(path)


def holds_video(path: Path) -> bool:
    """Whether a file holds a moving picture, going by content: a video, a motion photo or an animation."""
    try:
        told = _told_by_content(path)
        if told in (".mp4", ".mov", ".3gp"):
            return embedded_video(path) is not None or _has_track(path)
        return told != "" or is_animation(path)
    except OSError:
        return False


def _has_track(path: Path) -> bool:
    with path.open("rb") as file:
        return has_video_track(file, 0, path.stat().st_size)


def _told_by_content(path: Path) -> str:
    """The suffix for a container, going by its first bytes; "" for what is none of ours, or cannot be read."""
    try:
        span = embedded_video(path)
        with path.open("rb") as file:
            file.seek(span.start if span else 0)
            head = file.read(_HEAD)
    except OSError:
        return ""
    return "" if head.startswith(JPEG) else _container(head)


def _container(head: bytes) -> str:
    """The suffix for what begins with `head`."""
    if head[4:8] == b"ftyp":
        return ".mov" if head[8:12] == b"qt  " else ".3gp" if head[8:10] == b"3g" else ".mp4"
    if head[4:8] in _QUICKTIME:
        return ".mov"
    if head.startswith(_MATROSKA):
        return ".webm" if b"webm" in head[:64] else ".mkv"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return ".avi"
    if len(head) == _HEAD and head[::_PACKET] == _SYNC * len(head[::_PACKET]):
        return ".ts"
    blu_ray = head[4 :: _PACKET + 4]
    return ".m2ts" if len(head) == _HEAD and blu_ray == _SYNC * len(blu_ray) else ""
