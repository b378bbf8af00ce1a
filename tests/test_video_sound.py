"""Sound without frames of its own is cut into other packets by every muxer: its samples and their times are kept."""

from fractions import Fraction

import av
import numpy as np
import pytest

from selfhvd.errors import OutputError
from selfhvd.video import ingest
from selfhvd.video.probe import foretold
from selfhvd.video.write.verify_copies import check_copies
from test_video import make_clip, packets, round_trip

RATE = 48000


def samples(path):
    """Bytes of the sound of a clip, and when it begins, in seconds."""
    found = packets(path, "audio")
    return b"".join(data for _, data in found), found[0][0]


def pcm_clip(path, codec, *, gap=0, block=1470, late=0):
    """A clip with noise as sound: `late` samples after the picture, in blocks, `gap` samples before the last."""
    plain = make_clip(path.with_name("plain.mp4"))
    random = np.random.default_rng(0)
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        video = out.add_stream_from_template(source.streams.video[0], opaque=True)
        sound = out.add_stream(codec, rate=RATE, layout="stereo")
        kind = {"s16": np.int16, "s32": np.int32, "u8": np.uint8, "flt": np.float32}[sound.format.name]
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = video
                out.mux(packet)
        for number in range(12):
            noise = (random.standard_normal((1, 2 * block)) * 1000).astype(kind)
            frame = av.AudioFrame.from_ndarray(noise, format=sound.format.name, layout="stereo")
            frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = late + number * block + (gap if number == 11 else 0)
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    return path


@pytest.mark.parametrize(
    ("codec", "name", "out"),
    [
        ("pcm_s16le", "in.mov", "out.mov"),
        ("pcm_s16be", "in.mov", "out.mov"),
        ("pcm_s24be", "in.mov", "out.mov"),
        ("pcm_s24le", "in.mov", "out.mkv"),
        ("pcm_f32le", "in.mov", "out.mov"),
        ("pcm_alaw", "in.mov", "out.mov"),
        ("pcm_s16le", "in.mov", "out.mp4"),
        ("pcm_s16le", "in.mkv", "out.mov"),
        ("pcm_u8", "in.mkv", "out.avi"),
        ("pcm_bluray", "in.m2ts", "out.m2ts"),
    ],
)
def test_pcm_keeps_every_sample_at_its_time(tmp_path, codec, name, out):
    late = 0 if out.endswith("avi") else 4800
    source = pcm_clip(tmp_path / name, codec, late=late)
    before, after, target, writer = round_trip(source, tmp_path, out)
    data, start = samples(source)
    assert before.tracks[0].kind == "audio" and len(data) > 12 * 1470
    found = samples(target)
    assert found[0] == data and abs(found[1] - start) <= Fraction(1, 1000)
    assert after.count == before.count
    assert [text for text in writer.warnings if "rounded" not in text] == []


def copy_of(source, path, change):
    """A clip with the sound of another, each of its packets passed through `change`, which may drop it."""
    with av.open(str(source)) as old, av.open(str(path), "w") as out:
        streams = [out.add_stream_from_template(stream, opaque=True) for stream in old.streams]
        for packet in old.demux():
            if packet.size and (packet.stream_index == 0 or change(packet)):
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
    return path


def early(packet):
    return packet.pts * packet.time_base < Fraction(1, 5)


def delayed(packet):
    packet.pts = packet.dts = packet.pts + (0 if early(packet) else 20)  # ms
    return True


@pytest.mark.parametrize("change", [early, delayed])
def test_samples_that_are_missing_or_late_are_found(tmp_path, change):
    source = pcm_clip(tmp_path / "in.mkv", "pcm_s16le")
    same = copy_of(source, tmp_path / "same.mov", lambda _: True)
    check_copies(source, same, "same.mov", [(1, 1)])
    wrong = copy_of(source, tmp_path / "wrong.mkv", change)
    with pytest.raises(OutputError, match="cannot hold stream 1 as it is"):
        check_copies(source, wrong, "wrong.mkv", [(1, 1)])


def test_other_bytes_are_found(tmp_path):
    source = pcm_clip(tmp_path / "in.mkv", "pcm_s16le")
    data = bytearray(source.read_bytes())
    sound = packets(source, "audio")[5][1]
    data[data.index(sound) + 100] ^= 255
    (tmp_path / "bad.mkv").write_bytes(data)
    with pytest.raises(OutputError, match="other bytes read back"):
        check_copies(source, tmp_path / "bad.mkv", "bad.mkv", [(1, 1)])


def test_sound_that_avi_lets_begin_elsewhere_is_named(tmp_path):
    source = pcm_clip(tmp_path / "in.mkv", "pcm_s16le", late=4800)
    target, writer = round_trip(source, tmp_path, "out.avi")[2:]
    assert samples(target)[0] == samples(source)[0]
    assert "avi holds no start times: stream 1 is +0.10 s away from where it belongs" in writer.warnings


def test_sound_that_starts_a_little_before_the_picture_goes_into_avi(tmp_path):
    source = make_clip(tmp_path / "in.mkv", times=range(0, 27000, 3000), sound=True)
    target, writer = round_trip(source, tmp_path, "out.avi")[2:]
    assert [data for _, data in packets(target, "audio")] == [data for _, data in packets(source, "audio")]
    assert [text for text in writer.warnings if "rounded" not in text] == []


def test_a_pause_in_the_sound_is_kept(tmp_path):
    source = pcm_clip(tmp_path / "in.mkv", "pcm_s16le", gap=4800)
    target = round_trip(source, tmp_path, "out.mkv")[2]
    assert packets(target, "audio")[-1] == packets(source, "audio")[-1]


def test_a_pause_that_a_container_cannot_hold_is_told_before_the_work(tmp_path):
    source = pcm_clip(tmp_path / "in.mkv", "pcm_s16le", gap=4800)
    with pytest.raises(OutputError, match=r"out.mov cannot hold stream 1 .*pauses.* write to a file of another kind"):
        ingest(source, tmp_path / "cache", destination=tmp_path / "out.mov")
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["frames"]  # no record: not finished
    ingest(source, tmp_path / "cache", destination=tmp_path / "out.mkv")
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["footage.json", "frames"]


def test_sound_that_a_container_cannot_hold_is_foretold(tmp_path):
    source = pcm_clip(tmp_path / "in.mkv", "pcm_s16le")
    assert foretold(source, tmp_path / "out.mp4") == ("stream 1 (pcm_s16le audio) cannot be copied into mp4",)
    assert foretold(source, tmp_path / "out.mov") == ()
