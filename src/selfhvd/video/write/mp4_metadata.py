"""What FFmpeg's MP4 muxer has no word for, put into the finished file from the source's own boxes.

User data (the place as Android's gallery reads it, GoPro's settings), cover pictures, 360-degree marks, and what
timed data are (`mebx`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from selfhvd.errors import OutputError
from selfhvd.video.footage import Footage, Track
from selfhvd.video.process.protocol import Report
from selfhvd.video.write.attachments import Cover, covr
from selfhvd.video.write.mp4_index import Box, Index, index_of, parse, put_index

PLACE = b"\xa9xyz"
_WRITTEN = (b"meta", b"chpl", b"free", b"skip", b"hnti", b"hinf", b"kind")  # by the muxer, or of no use
_TABLE = (b"mdia", b"minf", b"stbl")
_HANDLERS = {"video": b"vide", "audio": b"soun"}
_PICTURE_ENTRY = 78  # bytes of a picture's sample description before its boxes
_MARKS = (b"st3d", b"sv3d")
_SPHERE = bytes.fromhex("ffcc8263f8554a938814587a02521fdd")  # the older mark's UUID
_OWN = (b"hdlr", b"dinf", b"stbl")  # what a track's media information keeps


def put_back(
    part: Path,
    footage: Footage,
    source: Index | None,
    copied: Mapping[int, int],
    covers: Sequence[Cover],
    report: Report,
    *,
    strip_location: bool = False,
) -> None:
    """Complete the finished MP4 `part` by what `source`, if it has boxes, holds beside its tracks.

    `copied` says at which index of the result each copied track stands.
    """
    index = index_of(part)
    if index is None:
        raise OutputError(f"{part.name} was written without an index; nothing is kept.")
    if source is not None:
        _user_data(index, source, report, strip_location=strip_location)
        _marks(index, source, footage)
        for old in copied:
            _describe(index, source, footage, old, copied)
    if covers:
        user = index.moov.find(b"udta") or Box(b"udta", inside=[])
        user.inside = [*(user.inside or ()), covr(covers)]
        index.moov.put(user)
    if len(bytes(index.moov)) != index.size:
        put_index(part, index)


def _user_data(index: Index, source: Index, report: Report, *, strip_location: bool) -> None:
    """The boxes of the source's user data that the muxer does not write itself."""
    here = index.moov.find(b"udta") or Box(b"udta", inside=[])
    old = source.moov.find(b"udta")
    if old is not None and old.inside is None and not strip_location:
        report(warning="user data of the camera's own making cannot be kept")
    there = {box.kind for box in here.inside or ()}
    more = [box for box in (old.inside if old is not None else None) or () if _ours(box.kind) and box.kind not in there]
    if strip_location:
        names = sorted({box.kind.decode("latin-1") for box in more} - {PLACE.decode("latin-1"), "loci"})
        if names:
            report(warning=f"user data ({', '.join(names)}) may tell the place and is left out")
    elif more:
        here.inside = [*(here.inside or ()), *more]
        index.moov.put(here)


def _ours(kind: bytes) -> bool:
    """Whether a box of user data is copied; the other texts (©nam) are tags, which the muxer writes."""
    return kind == PLACE or not (kind.startswith(b"\xa9") or kind in _WRITTEN)


def track_of(index: Index, number: int, kind: str) -> Box | None:
    """The box of the source's stream `number`, None unless it is of that kind."""
    tracks = index.tracks()
    track = tracks[number] if number < len(tracks) else None
    handler = track.find(b"mdia", b"hdlr") if track is not None else None
    if handler is None:
        return None
    name = handler.body[8:12]
    fits = name == _HANDLERS[kind] if kind in _HANDLERS else name not in _HANDLERS.values()
    return track if fits else None


def _marks(index: Index, source: Index, footage: Footage) -> None:
    """The marks of a 360-degree picture, as it stands; a turned one has other angles."""
    old = track_of(source, footage.stream, "video")
    if old is None or footage.rotation:
        return
    new = index.tracks()[0]
    for box in old.all(b"uuid"):
        if box.body.startswith(_SPHERE):
            new.inside = [*(new.inside or ()), box]
    one, two = (_entry(track) for track in (old, new))
    if one is not None and two is not None:
        two.body += b"".join(bytes(box) for box in _boxes_of(one) if box.kind in _MARKS)


def has_marks(index: Index, footage: Footage) -> bool:
    """Whether the source's picture has marks that `put_back` keeps."""
    track = track_of(index, footage.stream, "video")
    entry = _entry(track) if track is not None else None
    if track is None or entry is None or footage.rotation:
        return False
    older = any(box.body.startswith(_SPHERE) for box in track.all(b"uuid"))
    return older or any(box.kind in _MARKS for box in _boxes_of(entry))


def _entry(track: Box) -> Box | None:
    """The first sample description of a track."""
    table = track.find(*_TABLE, b"stsd")
    return table.inside[0] if table is not None and table.inside else None


def _boxes_of(entry: Box) -> list[Box]:
    """The boxes in a picture's sample description."""
    try:
        return parse(entry.body[_PICTURE_ENTRY:])
    except ValueError:
        return []


def called(index: Index, track: Track) -> str:
    """What the source calls the samples of a track ("mebx"), "" where it does not say."""
    box = track_of(index, track.index, track.kind)
    entry = _entry(box) if box is not None else None
    name = entry.kind.decode("latin-1") if entry is not None else ""
    return name if name.isalnum() else ""


def describable(index: Index, track: Track) -> bool:
    """Whether the source says in one sample description what a data track holds."""
    box = track_of(index, track.index, track.kind)
    table = box.find(*_TABLE, b"stsd") if box is not None else None
    return table is not None and len(table.inside or ()) == 1


def _describe(index: Index, source: Index, footage: Footage, old: int, copied: Mapping[int, int]) -> None:
    """Give a data track that the muxer wrote without a description the source's own, and what it refers to."""
    kind = next(track.kind for track in footage.tracks if track.index == old)
    there, here = track_of(source, old, kind), index.tracks()[copied[old]]
    if kind != "data" or there is None or _entry(here) is not None:
        return
    for path in ((b"mdia",), (b"mdia", b"minf"), _TABLE):
        one, two = there.find(*path), here.find(*path)
        assert one is not None and two is not None  # `describable` has found a description there
        if path == _TABLE:
            two.inside = [*one.all(b"stsd"), *(box for box in two.inside or () if box.kind != b"stsd")]
        elif path == (b"mdia",):
            two.put(one.all(b"hdlr")[0])
        else:
            heads = [box for box in one.inside or () if box.kind not in _OWN]
            two.inside = [*heads, *(box for box in two.inside or () if box.kind in _OWN)]
    _refer(index, source, here, there, {footage.stream: 0, **copied})


def _refer(index: Index, source: Index, here: Box, there: Box, numbers: dict[int, int]) -> None:
    """The references of a track, by the numbers that tracks have in the result."""
    new = {_number(source.tracks()[one]): _number(index.tracks()[two]) for one, two in numbers.items()}
    references: list[Box] = []
    tref = there.find(b"tref")
    for box in parse(tref.body) if tref is not None else ():
        olds = [int.from_bytes(box.body[at : at + 4], "big") for at in range(0, len(box.body), 4)]
        if all(old in new for old in olds):
            references.append(Box(box.kind, b"".join(new[old].to_bytes(4, "big") for old in olds)))
    if references:
        here.put(Box(b"tref", inside=references))


def _number(track: Box) -> int:
    """A track's number in its file."""
    head = track.find(b"tkhd")
    at = 12 if head is None or head.body[:1] == b"\0" else 20
    return 0 if head is None else int.from_bytes(head.body[at : at + 4], "big")
