"""The index of an MP4 taken apart and put back."""

import io

import pytest

from selfhvd.video.write.mp4_index import Box, index_of, parse, put_index, read_index
from test_video import make_clip, packets
from test_video_faults import faststart


def test_boxes_are_taken_apart_and_put_together():
    data = bytes(Box(b"moov", inside=[Box(b"mvhd", b"12"), Box(b"udta", inside=[Box(b"name", b"x")])]))
    (moov,) = parse(data)
    name = moov.find(b"udta", b"name")
    assert bytes(moov) == data and name is not None and name.body == b"x"
    assert moov.find(b"trak", b"name") is None


def test_quicktimes_end_of_user_data_and_long_boxes_are_read():
    assert [box.kind for box in parse(bytes(Box(b"name", b"x")) + bytes(4))] == [b"name"]
    assert parse(b"\0\0\0\1free" + (17).to_bytes(8, "big") + b"x")[0].body == b"x"
    assert parse(b"\0\0\0\0freexyz")[0].body == b"xyz"


@pytest.mark.parametrize("data", [b"\0\0\0\x20freex", b"\0\0\0\x04free", b"\0\0\0\x08freeabc"])
def test_boxes_that_do_not_add_up_are_refused(data):
    with pytest.raises(ValueError):
        parse(data)


def test_an_index_that_cannot_be_taken_apart_is_none():
    broken = Box(b"moov", b"\0\0\0\x20traK")
    assert read_index(io.BytesIO(bytes(Box(b"ftyp", b"isom")) + bytes(broken))) is None
    assert read_index(io.BytesIO(b"nothing here")) is None
    assert read_index(io.BytesIO(b"\0\0\0\0")) is None


def test_user_data_of_a_cameras_own_making_are_left_as_they_are():
    (moov,) = parse(bytes(Box(b"moov", inside=[Box(b"udta", b"CAMERA settings")])))
    user = moov.find(b"udta")
    assert user is not None and user.inside is None and user.body == b"CAMERA settings"


def test_an_index_is_found_in_the_middle_of_a_file(tmp_path):
    path = make_clip(tmp_path / "a.mp4")
    data = path.read_bytes()
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff photo" + data + b"trailer")
    there, here = index_of(tmp_path / "photo.jpg", 9, 9 + len(data)), index_of(path)
    assert there is not None and here is not None and bytes(there.moov) == bytes(here.moov)
    assert index_of(tmp_path / "photo.jpg") is None


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("maker", [make_clip, faststart])
def test_a_grown_index_leaves_every_packet_where_it_is_found(tmp_path, monkeypatch, maker, wide):
    path = maker(tmp_path / "a.mp4")
    before = packets(path, "video")
    data = path.read_bytes()
    monkeypatch.setattr("selfhvd.video.write.mp4_index._BLOCK", 1000)
    if wide:
        monkeypatch.setattr("selfhvd.video.write.mp4_index._WIDE", 1)
    index = index_of(path)
    assert index is not None
    index.moov.put(Box(b"udta", inside=[Box(b"long", bytes(5000))]))
    put_index(path, index)
    assert packets(path, "video") == before
    assert (b"co64" in path.read_bytes()) == wide and len(path.read_bytes()) > len(data) + 4500


def test_an_index_does_not_shrink(tmp_path):
    path = make_clip(tmp_path / "a.mp4")
    index = index_of(path)
    assert index is not None
    index.moov.inside = []
    with pytest.raises(ValueError, match="only grows"):
        put_index(path, index)
