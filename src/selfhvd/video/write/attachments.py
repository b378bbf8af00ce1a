"""Cover pictures and attached files (fonts): what they are, and how a container takes them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfhvd.video.limits import Limits
from selfhvd.video.read.demux import codec_name, is_picture, open_source
from selfhvd.video.write.mp4_index import Box

_MIMES = {
    "mjpeg": "image/jpeg",
    "png": "image/png",
    "bmp": "image/bmp",
    "gif": "image/gif",
    "webp": "image/webp",
    "tiff": "image/tiff",
}
_COVERS = {"mjpeg": 13, "png": 14, "bmp": 27}  # codec -> iTunes' number of the kind of picture


@dataclass(frozen=True)
class Cover:
    """An attached picture."""

    codec: str
    name: str
    data: bytes

    @property
    def mime(self) -> str:
        """Its MIME type, "" where it is no usual kind of picture."""
        return _MIMES.get(self.codec, "")

    @property
    def fits_mp4(self) -> bool:
        """Whether MP4 has a number for its kind."""
        return self.codec in _COVERS


def covers(path: Path, indices: Iterable[int] | None = None) -> dict[int, Cover]:
    """The attached pictures of a file by stream, of all streams or of `indices`."""
    with open_source(path, Limits()) as source:
        wanted = [stream for stream in source.streams.video if is_picture(stream)]
        wanted = [stream for stream in wanted if indices is None or stream.index in indices]
        found: dict[int, Cover] = {}
        for packet in source.demux(wanted) if wanted else ():
            if packet.size and packet.stream_index not in found:
                found[packet.stream_index] = _cover(source.streams[packet.stream_index], bytes(packet))
            if len(found) == len(wanted):
                break
        return found


def _cover(stream: Any, data: bytes) -> Cover:  # noqa: ANN401 - PyAV stream
    codec = codec_name(stream)
    ending = _MIMES.get(codec, "/bin").split("/")[1].replace("jpeg", "jpg")
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    return Cover(codec, tags.get("filename", f"cover.{ending}"), data)


def attachments(path: Path) -> dict[int, tuple[str, str, bytes]]:
    """Name, MIME type and bytes of a file's attachments by stream."""
    with open_source(path, Limits()) as source:
        files: list[Any] = list(source.streams.attachments)
        return {file.index: (file.name or "attachment", file.mimetype or "", file.data) for file in files}


def covr(pictures: Iterable[Cover]) -> Box:
    """ITunes' box of cover pictures, in all the boxes it needs around it."""
    data = [Box(b"data", _COVERS[cover.codec].to_bytes(4, "big") + bytes(4) + cover.data) for cover in pictures]
    handler = Box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    return Box(b"meta", bytes(4), [handler, Box(b"ilst", inside=[Box(b"covr", inside=data)])])


def lost(source: Path, part: Path, indices: Iterable[int]) -> list[int]:
    """Which attached pictures and files of `source` (streams) are not in `part`."""
    before = {index: cover.data for index, cover in covers(source).items()}
    before |= {index: data for index, (_, _, data) in attachments(source).items()}
    after = Counter(cover.data for cover in covers(part).values())
    after += Counter(data for _, _, data in attachments(part).values())
    missing: list[int] = []
    for index in indices:
        if not after[before[index]]:
            missing.append(index)
        after[before[index]] -= 1
    return missing
