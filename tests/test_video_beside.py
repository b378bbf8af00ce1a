"""What stands beside picture and sound: covers, files, timed data, the place, 360-degree marks, tags, flags."""

import re
import struct

import av
import cv2
import pytest
from av.sidedata.sidedata import Type
from av.stream import Disposition

from selfhvd.errors import OutputError
from selfhvd.video import ingest
from selfhvd.video.read.demux import choose
from selfhvd.video.write.attachments import Cover, attachments, covers, covr
from selfhvd.video.write.mp4_index import Box, index_of, parse, put_index
from selfhvd.video.write.tags import fresh
from selfhvd.video.write.verify import verify
from selfhvd.video.write.verify_copies import lost_flags
from test_video import make_clip, picture, round_trip, seconds

FONT = b"\0\1\0\0 no real font"


def image(ending):
    return cv2.imencode(ending, picture(0, 32, 24))[1].tobytes()


def changed(path, change):
    """The clip with its index changed by `change(moov)`."""
    index = index_of(path)
    change(index.moov)
    put_index(path, index)
    return path


def tracks(path):
    return index_of(path).tracks()


def description(track):
    return track.find(b"mdia", b"minf", b"stbl", b"stsd")


def user_data(path):
    box = index_of(path).moov.find(b"udta")
    return {child.kind: child.body for child in box.inside} if box is not None else {}


def with_cover(path, *pictures):
    return changed(make_clip(path), lambda moov: moov.put(Box(b"udta", inside=[covr(pictures)])))


def shouted(text):
    return "rounded" not in text


# The index


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.3gp"])
def test_the_index_comes_first(tmp_path, name):
    source = make_clip(tmp_path / "in.mp4", sound=True)
    before, after, target, _ = round_trip(source, tmp_path, name)
    kinds = [box.kind for box in parse(target.read_bytes())]
    assert kinds.index(b"moov") < kinds.index(b"mdat") and seconds(before) == seconds(after)


# Covers and files


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.m4v", "out.mkv"])
def test_covers_stay_attached(tmp_path, name):
    pictures = [Cover("mjpeg", "cover.jpg", image(".jpg")), Cover("png", "cover.png", image(".png"))]
    source = with_cover(tmp_path / "in.mp4", *pictures)
    before, after, target, writer = round_trip(source, tmp_path, name, comment="stamp")
    assert len(before.tracks) == 2 and all(track.picture for track in before.tracks)
    assert {cover.data for cover in covers(target).values()} == {cover.data for cover in pictures}
    assert all(track.picture for track in after.tracks) and after.count == before.count
    assert [text for text in writer.warnings if shouted(text)] == []
    with av.open(str(target)) as container:
        assert {key.lower(): value for key, value in container.metadata.items()}["comment"] == "stamp"


@pytest.mark.parametrize("name", ["out.ts", "out.3gp"])
def test_a_cover_that_has_no_place_is_named(tmp_path, name):
    source = with_cover(tmp_path / "in.mp4", Cover("mjpeg", "cover.jpg", image(".jpg")))
    writer = round_trip(source, tmp_path, name)[3]
    assert "(mjpeg video) cannot be kept in" in " ".join(writer.warnings)


def test_a_cover_that_may_tell_the_place_is_left_out_on_request(tmp_path):
    source = with_cover(tmp_path / "in.mp4", Cover("mjpeg", "a.jpg", image(".jpg") + b"Exif\0\0 GPS"))
    target, writer = round_trip(source, tmp_path, strip_location=True)[2:]
    assert covers(target) == {} and "may tell the place" in writer.warnings[0]


def with_files(path):
    """A Matroska clip with a cover before its sound, a font, and words on both tracks."""
    plain = make_clip(path.with_name("plain.mkv"), sound=True)
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        out.add_attachment("font.ttf", "application/x-truetype-font", FONT)
        out.add_attachment("cover.png", "image/png", image(".png"))
        streams = [out.add_stream_from_template(stream, opaque=True) for stream in source.streams]
        streams[0].metadata.update({"BPS": "123", "NUMBER_OF_FRAMES-eng": "8", "_STATISTICS_TAGS": "BPS", "title": "T"})
        streams[0].disposition = Disposition.default | Disposition.original
        streams[1].metadata.update({"BPS": "456"})
        streams[1].disposition = Disposition.hearing_impaired | Disposition.comment
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
    return path


def test_files_and_covers_of_matroska_are_kept(tmp_path):
    source = with_files(tmp_path / "in.mkv")
    before, after, target, writer = round_trip(source, tmp_path)
    assert [track.kind for track in after.tracks] == [track.kind for track in before.tracks]
    assert list(attachments(target).values()) == [("font.ttf", "application/x-truetype-font", FONT)]
    assert [(cover.name, cover.data) for cover in covers(target).values()] == [("cover.png", image(".png"))]
    assert writer.warnings == []


def test_files_that_mp4_has_no_place_for_are_named_and_the_cover_goes_along(tmp_path):
    source = with_files(tmp_path / "in.mkv")
    target, writer = round_trip(source, tmp_path, "out.mp4")[2:]
    assert [cover.data for cover in covers(target).values()] == [image(".png")]
    assert any("(font.ttf attachment) cannot be kept in mp4" in text for text in writer.warnings)


def test_a_cover_that_did_not_read_back_is_an_error(tmp_path):
    source = with_cover(tmp_path / "in.mp4", Cover("mjpeg", "cover.jpg", image(".jpg")))
    footage = ingest(source, tmp_path / "cache")
    request = {"folder": str(footage.folder), "part": str(make_clip(tmp_path / "out.mp4")), "destination": "out.mp4"}
    with pytest.raises(OutputError, match="stream 1"):
        verify(
            footage,
            {**request, "size": [footage.width, footage.height], "copied": [], "attached": [1], "shift": "0"},
            lambda **_: None,
        )


# Tags and flags


def test_what_was_counted_of_the_old_stream_goes_and_flags_stay(tmp_path):
    target = round_trip(with_files(tmp_path / "in.mkv"), tmp_path)[2]
    with av.open(str(target)) as container:
        video, sound = container.streams[0], container.streams[1]
        assert video.metadata["title"] == "T" and sound.metadata["BPS"] == "456"
        assert not {"BPS", "NUMBER_OF_FRAMES-eng", "_STATISTICS_TAGS"} & set(video.metadata)
        assert video.disposition == Disposition.default | Disposition.original
        assert sound.disposition == Disposition.hearing_impaired | Disposition.comment


def test_counted_tags():
    tags = {"BPS": "1", "BPS-eng": "1", "NUMBER_OF_BYTES": "1", "_STATISTICS_WRITING_APP-eng": "x", "DURATION-eng": "1"}
    assert fresh(tags | {"artist": "me"}, coded_anew=True) == {"artist": "me"}
    assert fresh({"BPS-eng": "1", "DURATION-eng": "1"}) == {"BPS-eng": "1"}


def test_flags_that_are_lost_are_named(tmp_path):
    source = with_files(tmp_path / "in.mkv")
    assert lost_flags(source, make_clip(tmp_path / "out.mp4", sound=True), [(0, 0), (1, 1)]) == [
        "stream 0 is no longer marked original",
        "stream 1 is no longer marked comment",
        "stream 1 is no longer marked hearing_impaired",
    ]


# The place


PLACE = b"\0\x12\x15\xc7+10.0000+010.0000/"


def placed(path):
    """An Android clip: its place in `udta/©xyz`, and a box of a maker's own."""
    more = Box(b"udta", inside=[Box(b"\xa9xyz", PLACE), Box(b"SDLN", b"SEQ_PLAY"), Box(b"free", bytes(200))])
    return changed(make_clip(path), lambda moov: moov.put(more))


@pytest.mark.parametrize("name", ["out.mp4", "out.mov"])
def test_the_place_stays_as_android_reads_it(tmp_path, name):
    target, writer = round_trip(placed(tmp_path / "in.mp4"), tmp_path, name, comment="stamp")[2:]
    assert user_data(target)[b"\xa9xyz"] == PLACE and user_data(target)[b"SDLN"] == b"SEQ_PLAY"
    assert b"loci" not in user_data(target) and writer.warnings == []
    with av.open(str(target)) as container:
        assert container.metadata["location"] == "+10.0000+010.0000/" and container.metadata["comment"] == "stamp"


def test_the_place_in_a_motion_photo_stays(tmp_path):
    photo = tmp_path / "photo.MP.jpg"
    photo.write_bytes(image(".jpg") + placed(tmp_path / "inner.mp4").read_bytes())
    target, writer = round_trip(photo, tmp_path)[2:]
    assert user_data(target)[b"\xa9xyz"] == PLACE and writer.warnings == []


def test_the_place_is_left_out_with_all_that_may_tell_it(tmp_path):
    target, writer = round_trip(placed(tmp_path / "in.mp4"), tmp_path, strip_location=True)[2:]
    assert b"+10.0000" not in target.read_bytes()
    assert writer.warnings == ["user data (SDLN) may tell the place and is left out"]


def test_user_data_that_are_no_boxes_are_named(tmp_path):
    source = changed(make_clip(tmp_path / "in.mp4"), lambda moov: moov.put(Box(b"udta", b"CAMERA" + bytes(200) + b"x")))
    assert round_trip(source, tmp_path)[3].warnings == ["user data of the camera's own making cannot be kept"]


# 360 degrees


def full(kind, body, inside=None):
    return Box(kind, bytes(4) + body, inside)


MARKS = [
    full(b"st3d", b"\0"),
    Box(
        b"sv3d",
        inside=[full(b"svhd", b"me\0"), Box(b"proj", inside=[full(b"prhd", bytes(12)), full(b"equi", bytes(16))])],
    ),
]
OLDER = Box(
    b"uuid",
    bytes.fromhex("ffcc8263f8554a938814587a02521fdd")
    + b'<?xml version="1.0"?><rdf:SphericalVideo xmlns:GSpherical="http://ns.google.com/videos/1.0/spherical/">'
    b"<GSpherical:Spherical>true</GSpherical:Spherical><GSpherical:Stitched>true</GSpherical:Stitched>"
    b"<GSpherical:StitchingSoftware>x</GSpherical:StitchingSoftware>"
    b"<GSpherical:ProjectionType>equirectangular</GSpherical:ProjectionType></rdf:SphericalVideo>",
)


def around(path, **options):
    def mark(moov):
        description(moov.all(b"trak")[0]).inside[0].body += b"".join(map(bytes, MARKS))

    return changed(make_clip(path, **options), mark)


def around_as_before(path, **options):
    return changed(make_clip(path, **options), lambda moov: moov.all(b"trak")[0].put(OLDER))


@pytest.mark.parametrize("maker", [around, around_as_before])
@pytest.mark.parametrize("name", ["out.mp4", "out.mov"])
def test_marks_of_a_360_degree_picture_are_kept(tmp_path, maker, name):
    before, after, target, writer = round_trip(maker(tmp_path / "in.mp4"), tmp_path, name)
    assert before.marks == after.marks == ("360-degree",) and writer.warnings == []
    with av.open(str(target)) as container:
        assert any(data.type == Type.SPHERICAL for data in next(container.decode(video=0)).side_data)


@pytest.mark.parametrize(("name", "options"), [("out.mkv", {}), ("out.mp4", {"rotation": 90})])
def test_marks_that_cannot_be_kept_are_named(tmp_path, name, options):
    before, after, _, writer = round_trip(around(tmp_path / "in.mp4", **options), tmp_path, name)
    assert before.marks == ("360-degree",) and after.marks == ()
    assert "marks of a 360-degree picture cannot be kept in" in writer.warnings[0]


# Timed data


KEYS = Box(b"keys", bytes(Box(b"\0\0\0\1", bytes(Box(b"keyd", b"mdtacom.example")))))


def with_data(path):
    """A clip of a phone with timed data (`mebx`) that belong to the picture: its sound, called otherwise."""

    def rename(moov):
        track = moov.all(b"trak")[1]
        media = track.find(b"mdia")
        handler = media.find(b"hdlr")
        handler.body = handler.body[:8] + b"meta" + handler.body[12:]
        info = media.find(b"minf")
        info.inside = [Box(b"nmhd", bytes(4)), *(box for box in info.inside if box.kind != b"smhd")]
        table = description(track)
        table.inside = [Box(b"mebx", bytes(6) + b"\0\1" + bytes(KEYS) + bytes(500))]
        number = moov.all(b"trak")[0].find(b"tkhd").body[12:16]
        track.put(Box(b"tref", inside=[Box(b"cdsc", number)]))

    return changed(make_clip(path, sound=True), rename)


def data_of(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.data[0]) if packet.size]


def test_timed_data_of_a_phone_stay_whole(tmp_path):
    source = with_data(tmp_path / "in.mov")
    before, _, target, writer = round_trip(source, tmp_path)
    assert [track.kind for track in before.tracks] == ["data"] and writer.warnings == []
    old, new = tracks(source)[1], tracks(target)[1]
    assert bytes(description(new)) == bytes(description(old)) and len(bytes(description(new))) > 500
    assert new.find(b"mdia", b"hdlr").body[8:12] == b"meta"
    assert new.find(b"mdia", b"minf", b"nmhd") is not None and new.find(b"mdia", b"minf", b"gmhd") is None
    assert parse(new.find(b"tref").body)[0].body == tracks(target)[0].find(b"tkhd").body[12:16]
    assert data_of(target) == data_of(source) != []


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_timed_data_that_cannot_be_whole_are_named(tmp_path, name):
    target, writer = round_trip(with_data(tmp_path / "in.mov"), tmp_path, name)[2:]
    assert "stream 1 (mebx data) cannot be copied into" in writer.warnings[0]
    with av.open(str(target)) as container:
        assert len(container.streams) == 1


def test_timed_data_without_one_description_are_named(tmp_path):
    source = with_data(tmp_path / "in.mov")
    changed(source, lambda moov: description(moov.all(b"trak")[1]).inside.append(Box(b"mebx", bytes(6) + b"\0\1")))
    target, writer = round_trip(source, tmp_path)[2:]
    assert "stream 1 (mebx data) cannot be copied into mov" in writer.warnings[0] and len(tracks(target)) == 1


# In the picture


def test_the_second_view_of_a_spatial_video_is_named(tmp_path):
    def layered(moov):
        entry = description(moov.all(b"trak")[0]).inside[0]
        config = next(box.body for box in parse(entry.body[78:]) if box.kind == b"hvcC")
        entry.body += bytes(Box(b"lhvC", b"\x01" + config[13:15] + config[21:]))

    source = changed(make_clip(tmp_path / "in.mov", codec="libx265"), layered)
    with av.open(str(source)) as container:
        assert "only the first view" in choose(container, source)[1][0]


def captions():
    """A message of H.264 with closed captions (CEA-708)."""
    said = bytes.fromhex("b50031474139340341fffc8080ff")
    return b"\x06\x04" + bytes([len(said)]) + said + b"\x80"


def hdr10_plus():
    """A message of HEVC with HDR10+ (SMPTE ST 2094-40): one window, no curves."""
    bits = "01" + f"{400:027b}" + "0" + 3 * f"{50000:017b}" + f"{9000:017b}" + "0000" + f"{10:010b}" + "000"
    body = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    said = bytes.fromhex("b5003c00010401") + body
    return b"\x4e\x01\x04" + bytes([len(said)]) + re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", said) + b"\x80"


def with_message(path, message, **options):
    """A clip with `message` before each picture."""
    plain = make_clip(path.with_name("plain.mp4"), **options)
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                more = av.Packet(struct.pack(">I", len(message)) + message + bytes(packet))
                more.pts, more.dts, more.time_base, more.stream = packet.pts, packet.dts, packet.time_base, stream
                more.is_keyframe = packet.is_keyframe
                out.mux(more)
    return path


def test_closed_captions_are_named_before_the_work(tmp_path):
    footage = ingest(with_message(tmp_path / "in.mp4", captions()), tmp_path / "cache")
    assert footage.warnings == ("closed captions in the picture cannot be kept",)


def test_hdr10_plus_is_named_before_the_work(tmp_path):
    options = {"codec": "libx265", "pix_fmt": "yuv420p10le", "color": (1, 9, 9, 16)}
    footage = ingest(with_message(tmp_path / "in.mp4", hdr10_plus(), **options), tmp_path / "cache")
    assert footage.warnings == ("HDR10+ metadata cannot be kept",)
