"""Opening a container safely, and choosing the picture in it."""

import os
from pathlib import Path
from typing import Any

import av
from av.container import Flags, InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream

from selfhvd.errors import InputError
from selfhvd.video.footage import Track
from selfhvd.video.limits import Limits
from selfhvd.video.read.boxes import boxes
from selfhvd.video.read.motion_photo import embedded_video
from selfhvd.video.read.stills import still

# Demuxers that would open other files, devices or the network, or take any text for a picture.
_REFUSED = {
    "alias_pix", "alsa", "avisynth", "concat", "dash", "fbdev", "fifo", "hds", "hls", "image2", "image2pipe",
    "imf", "kmsgrab", "lavfi", "mpjpeg", "oss", "rawvideo", "rtp", "rtsp", "sap", "sdp", "svg_pipe", "tty",
    "video4linux2,v4l2", "vobsub", "webm_dash_manifest",
}  # fmt: skip
_PLAYLISTS = (b"#EXTM3U", b"ffconcat version", b"<?xml", b"<MPD", b"v=0\r\n", b"v=0\n", b"[playlist]")
_TEXTS = {b"%PDF": "a PDF", b"PK\x03\x04": "a ZIP archive", b"{\\rtf": "a text document"}


def open_source(path: Path, limits: Limits) -> InputContainer:
    """Open a local file with local protocols only; `InputError` in one sentence otherwise.

    Of a motion photo this opens the video in it.
    """
    sniff(path)
    allowed = ",".join(
        sorted(name for name in av.formats_available if name not in _REFUSED and not name.endswith("_pipe"))
    )
    protocols, address = _address(path)
    options = {"protocol_whitelist": protocols, "format_whitelist": allowed}
    try:
        container = av.open(address, options=options, metadata_errors="replace")
    except (FFmpegError, ValueError, OSError, UnicodeError) as error:
        raise InputError(_unreadable(path)) from error
    container.flags = container.flags & ~Flags.gen_pts.value  # its guesses are a frame late in AVI
    if len(container.streams) > limits.streams:
        raise InputError(f"{path} has {len(container.streams)} tracks; at most {limits.streams} are read.")
    return container


def _address(path: Path) -> tuple[str, str]:
    """FFmpeg's protocols, and what it is to open: the file, or the part of it that is a video."""
    span, whole = embedded_video(path), os.path.abspath(path)
    if span is None:
        return "file", whole
    return "file,subfile", f"subfile,,start,{span.start},end,{span.end},,:{whole}"


def sniff(path: Path) -> None:
    """Refuse what is plainly no video by its first bytes, and stills of every kind by their content."""
    try:
        if not path.exists():
            raise InputError(f"{path} does not exist; check the path.")
        if not path.is_file():
            raise InputError(f"{path} is not a regular file; give a video file or a folder of images.")
        with path.open("rb") as file:
            head = file.read(64)
        picture = still(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    if not head:
        raise InputError(f"{path} is an empty file (0 bytes); copy it from the camera again.")
    if head.lstrip().startswith(_PLAYLISTS):
        raise InputError(f"{path} is a playlist, not a video; only local video files are read.")
    for magic, what in _TEXTS.items():
        if head.startswith(magic):
            raise InputError(f"{path} is not a video but {what}.")
    if picture:
        raise InputError(f"{path} is a still image ({picture}), not a video; give a video, or a folder of images.")


def choose(container: InputContainer, path: Path) -> tuple[Any, list[str]]:
    """The stream to restore and what to tell about the choice: the first default one, never cover art."""
    videos = [stream for stream in container.streams.video if not is_picture(stream)]
    if not videos:
        what = "sound only" if container.streams.audio else "no video track"
        what = "cover art only" if container.streams.video else what
        raise InputError(f"{path} holds no moving picture ({what}); give a video.")
    known = [stream for stream in videos if _decodable(stream)]
    if not known:
        raise InputError(f"{path} is coded in a way that cannot be decoded here; convert it to H.264 first.")
    chosen = next((stream for stream in known if stream.disposition & Disposition.default), known[0])
    notes: list[str] = []
    for stream in videos:
        if stream is not chosen:
            what = f"stream {stream.index} ({codec_name(stream)} video)"
            notes.append(f"{what} is left out; stream {chosen.index} is restored")
    if chosen.disposition & Disposition.multilayer:
        notes.append("only the first view of a stereoscopic picture is restored; the other is left out")
    return chosen, notes


def is_picture(stream: Stream) -> bool:
    """Whether a video stream is cover art, a thumbnail or a single HEIF picture rather than a moving picture."""
    item = stream.time_base == 1 and stream.duration is None and stream.frames == 1
    return item or bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def codec_name(stream: Stream) -> str:
    """FFmpeg's name of a stream's codec, "" where it has none."""
    name: str | None = getattr(stream.codec_context if _decodable(stream) else stream, "name", None)
    return name or ""


def tag_of(stream: Any) -> str:  # noqa: ANN401 - PyAV's stream
    """The four letters by which a container names the coding (`apch` is ProRes 422 HQ), "" where there are none."""
    tag: str = stream.codec_context.codec_tag or ""
    return tag if len(tag) == 4 and tag.isalnum() else ""


def _decodable(stream: Any) -> bool:  # noqa: ANN401 - PyAV's stubs deny that there may be no decoder
    """Whether FFmpeg has a decoder for the stream."""
    return stream.codec_context is not None


def tracks_of(container: InputContainer, chosen: Stream) -> tuple[Track, ...]:
    """Every stream but the chosen one."""
    return tuple(
        Track(
            index=stream.index,
            kind=stream.type,
            codec=codec_name(stream),
            picture=stream.type == "video" and is_picture(stream),
        )
        for stream in container.streams
        if stream.index != chosen.index
    )


def _unreadable(path: Path) -> str:
    """The sentence for a file FFmpeg will not open; an MP4 without its index gets its own."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] in (b"ftyp", b"mdat", b"wide", b"skip", b"free") and not _has_index(path):
        return f"{path} has no index (moov): the camera did not close the file; repair it with a recovery tool."
    return f"{path} is not a video that can be read; it may be damaged or of another kind."


def _has_index(path: Path) -> bool:
    """Whether the top-level boxes of an MP4 reach a whole `moov`."""
    size = path.stat().st_size
    with path.open("rb") as file:
        return any(box.kind == b"moov" and box.end <= size for box in boxes(file, 0, size))
