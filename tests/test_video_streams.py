"""Sound of phones, words of containers, the place, lost frames: kept, or named where they cannot be."""

from fractions import Fraction

import av
import numpy as np
import pytest

from selfhvd.video.read.missing_frames import Promised
from selfhvd.video.read.tally import listed
from selfhvd.video.write.amr import single_frames
from selfhvd.video.write.tags import commented, fresh
from test_video import make_clip, round_trip, seconds
from test_video_faults import SHARED


def speech(path):
    """A 3GP clip with AMR sound, put together by hand."""
    plain = make_clip(path.with_name("plain.mp4"))
    frame = bytes([0x3C]) + bytes(31)  # 12.2 kbit/s
    with av.open(str(plain)) as source, av.open(str(path), "w", format="3gp") as out:
        video = out.add_stream_from_template(source.streams.video[0], opaque=True)
        sound = out.add_stream("libopencore_amrnb", rate=8000, layout="mono")
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = video
                out.mux(packet)
        for number in range(12):
            packet = av.Packet(frame)
            packet.stream, packet.time_base = sound, Fraction(1, 8000)
            packet.pts = packet.dts = number * 160
            packet.duration = 160
            out.mux(packet)
    return path


def sound_of(path):
    with av.open(str(path)) as container:
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(container.streams.audio[0]) if p.size]


def test_amr_packets_of_several_frames_are_cut():
    packet = av.Packet(bytes([0x3C]) + bytes(31) + bytes([0x04]) + bytes(12))
    packet.pts = packet.dts = 320
    packet.time_base = Fraction(1, 8000)
    parts = list(single_frames(packet, "amrnb"))
    assert [(part.size, part.pts, part.duration) for part in parts] == [(32, 320, 160), (13, 480, 160)]
    assert [part.size for part in single_frames(packet, "aac")] == [45]
    broken = av.Packet(bytes([0x3C]) + bytes(40))
    broken.pts, broken.time_base = 0, Fraction(1, 8000)
    assert [part.size for part in single_frames(broken, "amrnb")] == [41]


def test_amr_sound_is_kept(tmp_path):
    source = speech(tmp_path / "phone.3gp")
    before, after, target, writer = round_trip(source, tmp_path)
    assert sound_of(target) == sound_of(source) and len(sound_of(source)) == 12
    assert writer.warnings == [] and seconds(after) == seconds(before)


@pytest.mark.skipif(not (SHARED / "data/odd/sample.3gp").is_file(), reason="the shared sample clips are not here")
def test_amr_sound_of_a_phone_is_kept(tmp_path):
    source = SHARED / "data/odd/sample.3gp"
    target, writer = round_trip(source, tmp_path, "out.3gp")[2:]
    assert b"".join(data for _, data in sound_of(target)) == b"".join(data for _, data in sound_of(source))
    assert writer.warnings == ["the result is H.264; the source was MPEG-4"]


def test_what_cannot_be_carried_is_named(tmp_path):
    source = speech(tmp_path / "phone.3gp")
    writer = round_trip(source, tmp_path, "out.mp4")[3]
    assert writer.warnings == ["stream 1 (amrnb audio) cannot be copied into mp4"]


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_words_are_kept_and_the_stamp_is_added(tmp_path, name):
    tags = {"title": "Kitten", "comment": "mine", "location": "+52.5186+013.4081/"}
    source = make_clip(tmp_path / "in.mkv", metadata=tags.items(), times=(0, 3000))
    target = round_trip(source, tmp_path, name, comment="selfhvd 1, settings abc")[2]
    with av.open(str(target)) as container:
        found = {key.lower(): value for key, value in container.metadata.items()}
    assert found["title"] == "Kitten" and found["comment"] == "mine; selfhvd 1, settings abc"
    assert "+52.5186+013.4081/" in found.values()


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_the_place_is_left_out_on_request(tmp_path, name):
    tags = {"title": "Kitten", "location": "+52.5186+013.4081/", "com.apple.quicktime.location.ISO6709": "+52.5-013.4/"}
    source = make_clip(tmp_path / "in.mkv", metadata=tags.items(), times=(0, 3000))
    target = round_trip(source, tmp_path, name, strip_location=True)[2]
    data = target.read_bytes()
    assert b"Kitten" in data and b"+52.5" not in data


def test_tags():
    assert fresh({"encoder": "x", "artist": "me"}) == {"artist": "me"}
    assert fresh({"note": "+52.5186+013.4081/", "GPS": "1"}, strip_location=True) == {}
    assert commented({"COMMENT": "mine"}, "tool") == {"comment": "mine; tool"}
    assert commented({"a": "b"}, None) == {"a": "b"}


def test_a_refused_packet_in_the_middle_repeats_its_neighbour(tmp_path):
    source = make_clip(tmp_path / "in.mkv", codec="mjpeg", pix_fmt="yuvj420p", color=(2, 5, 2, 2))
    with av.open(str(source)) as container:
        sizes = [packet.size for packet in container.demux(container.streams.video[0]) if packet.size]
        data = source.read_bytes()
    with av.open(str(source)) as container:
        third = [bytes(packet) for packet in container.demux(container.streams.video[0]) if packet.size][2]
    assert len(sizes) == 8
    source.write_bytes(data.replace(third, bytes(len(third))))
    before, after, _, _ = round_trip(source, tmp_path)
    assert before.warnings == ("damaged frames repeat their neighbours: 2",)
    assert before.count == after.count == 8 and seconds(after) == seconds(before)
    assert np.array_equal(before.frame(2), before.frame(1))
    assert not np.array_equal(before.frame(3), before.frame(2))


def packet_at(time):
    packet = av.Packet(b"x")
    packet.pts = time
    return packet


def test_promises_count_only_after_damage():
    promised = Promised()
    for time in (0, 1, 2):
        promised.expect(packet_at(time))
    assert promised.missed(2) == []
    promised.damage = 1
    for time in (5, 3, 4, 4, 6, 7):
        promised.expect(packet_at(time))
    assert promised.missed(5) == [3, 4]
    assert promised.missed(None) == [6, 7]


def test_runs_of_frames():
    assert listed([3]) == "3" and listed([3, 4, 5, 9]) == "3-5, 9"
    assert listed(range(0, 40, 2)).endswith("14 and 12 more runs")


def test_avi_with_reordered_frames_starts_at_zero(tmp_path):
    with av.open(str(tmp_path / "in.avi"), "w") as out:
        stream = out.add_stream("mpeg4", rate=30, options={"bf": "2", "qscale": "3"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for index in range(8):
            frame = av.VideoFrame.from_ndarray(np.full((96, 96), 16 + 20 * index, np.uint8), format="yuv420p")
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    before, after, _, _ = round_trip(tmp_path / "in.avi", tmp_path)
    assert seconds(before) == seconds(after) == [Fraction(index, 30) for index in range(8)]
