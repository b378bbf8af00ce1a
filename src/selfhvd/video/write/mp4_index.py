"""The index (`moov`) of an MP4, MOV or 3GP file as boxes: read, searched, changed, and put back in its place.

For the few things that the muxer has no word for. The media data are moved, never changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

_HOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_HEAD = 8  # bytes: size and kind
_LARGEST = 2**28  # bytes of an index that is read
_BLOCK = 2**22  # bytes moved at a time
_WIDE = 2**32


@dataclass
class Box:
    """A box: bytes, and after them other boxes where it holds any."""

    kind: bytes
    body: bytes = b""
    inside: list["Box"] | None = None

    def __bytes__(self) -> bytes:
        data = self.body + b"".join(bytes(box) for box in self.inside or ())
        return (len(data) + _HEAD).to_bytes(4, "big") + self.kind + data

    def all(self, kind: bytes) -> list["Box"]:
        """The boxes of a kind directly inside."""
        return [box for box in self.inside or () if box.kind == kind]

    def find(self, *path: bytes) -> "Box | None":
        """The first box down a path of kinds."""
        here: Box | None = self
        for kind in path:
            here = next(iter(here.all(kind)), None) if here is not None else None
        return here

    def put(self, box: "Box") -> None:
        """Take the place of the first box of its kind inside, or come last."""
        kinds = [other.kind for other in self.inside or ()]
        if box.kind in kinds:
            self._boxes()[kinds.index(box.kind)] = box
        else:
            self._boxes().append(box)

    def _boxes(self) -> list["Box"]:
        if self.inside is None:
            self.inside = []
        return self.inside


def parse(data: bytes) -> list[Box]:
    """Boxes from their bytes; ValueError if they do not add up. Zeros at the end close QuickTime's user data."""
    boxes: list[Box] = []
    place = 0
    while place + _HEAD <= len(data):
        size, kind, head = _header(data[place : place + 16], len(data) - place)
        if size < head or place + size > len(data):
            raise ValueError(f"box {kind!r} does not fit")
        boxes.append(_box(kind, data[place + head : place + size]))
        place += size
    if data[place:].strip(b"\0"):
        raise ValueError("bytes between boxes")
    return boxes


def _header(data: bytes, rest: int) -> tuple[int, bytes, int]:
    """Size, kind, and length of the header; `rest` bytes are left where a box says it goes to the end."""
    size, kind = int.from_bytes(data[:4], "big"), data[4:8]
    if size == 1:
        return int.from_bytes(data[8:16], "big"), kind, 16
    return size or rest, kind, _HEAD


def _box(kind: bytes, data: bytes) -> Box:
    """A box, with what it holds taken apart where that is known to be boxes."""
    if kind == b"udta":
        return _loose(kind, data)
    if kind in _HOLDERS:
        return Box(kind, inside=parse(data))
    if kind == b"stsd":
        return Box(kind, data[:8], parse(data[8:]))
    return Box(kind, data)


def _loose(kind: bytes, data: bytes) -> Box:
    """A box that may hold boxes: old cameras write user data of their own making."""
    try:
        return Box(kind, inside=parse(data))
    except ValueError:
        return Box(kind, data)


@dataclass
class Index:
    """A `moov` and where it stands in its file."""

    moov: Box
    offset: int  # bytes
    size: int  # bytes

    def tracks(self) -> list[Box]:
        """The tracks in order."""
        return self.moov.all(b"trak")


def read_index(file: BufferedIOBase, start: int = 0, end: int | None = None) -> Index | None:
    """The index of an open file, or of a video from `start` to `end` (bytes) in it.

    None where there is none, or it cannot be taken apart.
    """
    for kind, offset, size in _top(file, start, end):
        if kind == b"moov" and size <= _LARGEST:
            file.seek(offset)
            try:
                return Index(parse(file.read(size))[0], offset, size)
            except ValueError:
                return None
    return None


def index_of(path: Path, start: int = 0, end: int | None = None) -> Index | None:
    """`read_index` of a file by its name."""
    with path.open("rb") as file:
        return read_index(file, start, end)


def _top(file: BufferedIOBase, start: int, end: int | None) -> Iterator[tuple[bytes, int, int]]:
    """Kind, offset and size in bytes of the boxes of a file."""
    end, place = file.seek(0, 2) if end is None else end, start
    while place + _HEAD <= end:
        file.seek(place)
        size, kind, head = _header(file.read(16), end - place)
        if size < head:
            return
        yield kind, place, size
        place += size


def put_index(path: Path, index: Index) -> None:
    """Write a changed index, which must have grown, into its file, and make room for it."""
    with path.open("rb+") as file:
        end = file.seek(0, 2)
        if end + _LARGEST >= _WIDE:
            _widen(index)
        grown = len(bytes(index.moov)) - index.size
        if grown < 0:
            raise ValueError("an index only grows")
        _point(index, grown)
        _make_room(file, index.offset + index.size, end, grown)
        file.seek(index.offset)
        file.write(bytes(index.moov))


def _tables(index: Index) -> Iterator[Box]:
    """The sample tables of all tracks."""
    for track in index.tracks():
        table = track.find(b"mdia", b"minf", b"stbl")
        if table is not None:
            yield table


def _widen(index: Index) -> None:
    """Chunk offsets of 64 bits."""
    for table in _tables(index):
        for box in table.all(b"stco"):
            box.kind, box.body = b"co64", box.body[:8] + _packed(_numbers(box.body[8:], 4), 8)


def _point(index: Index, grown: int) -> None:
    """Chunk offsets behind the index move by `grown` bytes."""
    for table in _tables(index):
        for kind, width in ((b"stco", 4), (b"co64", 8)):
            for box in table.all(kind):
                places = [place + grown * (place > index.offset) for place in _numbers(box.body[8:], width)]
                box.body = box.body[:8] + _packed(places, width)


def _numbers(data: bytes, width: int) -> list[int]:
    return [int.from_bytes(data[at : at + width], "big") for at in range(0, len(data), width)]


def _packed(numbers: list[int], width: int) -> bytes:
    return b"".join(number.to_bytes(width, "big") for number in numbers)


def _make_room(file: BufferedIOBase, start: int, end: int, room: int) -> None:
    """Move the bytes from `start` to `end` back by `room`, last ones first."""
    place = end if room else start
    while place > start:
        length = min(_BLOCK, place - start)
        place -= length
        file.seek(place)
        data = file.read(length)
        file.seek(place + room)
        file.write(data)
