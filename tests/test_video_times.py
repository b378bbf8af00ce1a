"""Times that a container cannot hold are moved, all streams together; the rest stays where it was."""

from dataclasses import replace
from fractions import Fraction

import av
import pytest

from selfhvd.errors import OutputError
from selfhvd.video import Footage, ingest, open_writer
from selfhvd.video.write.time_shift import move, moved, shift_of
from selfhvd.video.write.verify import verify
from test_video import VFR, make_clip, packets, round_trip, seconds

WRAP = 2**33  # ticks of 90 kHz that MPEG's clock counts to
MOVED = "all times are moved together by"


def late(path, by, **options):
    """A clip with every time later by `by` seconds, as FFmpeg writes it where it is told to leave times alone."""
    plain = make_clip(path.with_name("plain.mp4"), times=range(0, 27000, 3000), sound=True)
    with av.open(str(plain)) as source, av.open(str(path), "w", container_options=options) as out:
        streams = [out.add_stream_from_template(stream, opaque=True) for stream in source.streams]
        for packet in source.demux():
            if packet.size:
                move(packet, by)
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
    return path


def offsets(path):
    """Seconds from the first picture to each packet of sound."""
    first = packets(path, "video")[0][0]
    return [time - first for time, _ in packets(path, "audio")]


@pytest.mark.parametrize("name", ["out.ts", "out.mp4", "out.mov", "out.mkv"])
def test_a_clip_over_the_wrap_of_mpeg_is_written(tmp_path, name):
    source = late(tmp_path / "in.ts", Fraction(WRAP - 9000, 90000), mpegts_copyts="1")
    before, after, target, writer = round_trip(source, tmp_path, name)
    assert before.seconds(0) < 0 < before.seconds(7)
    assert any(MOVED in text for text in writer.warnings)
    slack = Fraction(0) if name != "out.mkv" else Fraction(1, 1000)
    shift = after.seconds(0) - before.seconds(0)
    assert all(abs(b - a - shift) <= slack for a, b in zip(seconds(before), seconds(after), strict=True))
    assert min(packets(target, "audio")[0][0], after.seconds(0)) == 0
    sound = zip(offsets(source), offsets(target), strict=True)
    assert all(abs(a - b) <= max(slack, Fraction(1, 96000)) for a, b in sound)


def test_times_beyond_the_wrap_start_anew_in_mpeg_only(tmp_path):
    source = make_clip(tmp_path / "in.mkv", shift=WRAP + 90000, times=(0, 9000, 18000))
    before, after, _, writer = round_trip(source, tmp_path, "out.ts")
    assert before.seconds(0) > 95000 and seconds(after) == [0, Fraction(1, 10), Fraction(2, 10)]
    assert MOVED in writer.warnings[0]
    assert seconds(round_trip(source, tmp_path, "out.mp4")[1]) == seconds(before)


def test_sound_that_starts_before_zero_goes_into_mpeg(tmp_path):
    source = make_clip(tmp_path / "in.mkv", times=range(0, 18000, 9000), sound=True)
    assert packets(source, "audio")[0][0] == Fraction(-21, 1000)
    target = round_trip(source, tmp_path, "out.ts")[2]
    assert packets(target, "audio")[0][0] == 0 and packets(target, "video")[0][0] == Fraction(21, 1000)


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4", "out.ts"])
def test_pictures_before_zero_are_moved_with_their_sound(tmp_path, name):
    source = make_clip(tmp_path / "in.mp4", sound=True)
    footage = ingest(source, tmp_path / "cache")
    footage = replace(footage, times=tuple(time - 9000 for time in VFR))
    footage.save()
    with open_writer(footage, tmp_path / name) as writer:
        for index in range(len(footage)):
            writer.write(footage.frame(index))
    after = ingest(tmp_path / name, tmp_path / "again")
    slack = Fraction(1, 1000)
    shift = after.seconds(0) - footage.seconds(0)
    assert after.seconds(0) >= 0 and any(MOVED in text for text in writer.warnings)
    assert all(abs(b - a - shift) <= slack for a, b in zip(seconds(footage), seconds(after), strict=True))
    assert abs(packets(tmp_path / name, "audio")[0][0] - packets(source, "audio")[0][0] - shift) <= slack


def test_chapters_are_moved_with_the_pictures(tmp_path):
    plain, source = make_clip(tmp_path / "plain.mp4"), tmp_path / "in.mkv"
    chapter = {"id": 1, "start": 40, "end": 90, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}
    with av.open(str(plain)) as given, av.open(str(source), "w") as out:
        out.set_chapters([chapter])
        stream = out.add_stream_from_template(given.streams.video[0], opaque=True)
        for packet in given.demux(given.streams.video[0]):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    footage = ingest(source, tmp_path / "cache")
    footage = replace(footage, times=tuple(time - 200 for time in footage.times))  # 0.2 s before zero
    footage.save()
    with open_writer(footage, tmp_path / "out.mkv") as writer:
        for index in range(len(footage)):
            writer.write(footage.frame(index))
    with av.open(str(tmp_path / "out.mkv")) as made:
        [found] = made.chapters()
    assert found["start"] * found["time_base"] == Fraction(240, 1000)
    assert found["end"] * found["time_base"] == Fraction(290, 1000) and found["metadata"]["title"] == "one"


def test_the_shift_is_a_whole_number_of_everyones_ticks(tmp_path):
    footage = ingest(make_clip(tmp_path / "a.mp4"), tmp_path / "cache")
    footage = replace(footage, times=tuple(time - 100 for time in VFR))
    shift = shift_of(footage, "mp4", None, [Fraction(1, 44100), Fraction(1, 1000)])
    assert shift == Fraction(1, 100)  # ticks in common: 100 a second
    assert moved(footage, shift).times[0] == 800
    assert shift_of(replace(footage, times=VFR), "mp4", Fraction(-1, 2), [Fraction(1, 48000)]) == 0
    assert shift_of(replace(footage, times=VFR), "mpegts", Fraction(-1, 2), [Fraction(1, 90000)]) == Fraction(1, 2)


@pytest.mark.parametrize(("name", "advised"), [("out.mp4", False), ("out.mkv", True)])
def test_nobody_is_sent_to_mp4_who_is_there(tmp_path, name, advised):
    footage = ingest(make_clip(tmp_path / "a.mp4"), tmp_path / "cache")
    part = make_clip(tmp_path / name, shift=9000)  # not what was to be written
    request = {"folder": str(footage.folder), "part": str(part), "destination": name}
    with pytest.raises(OutputError, match=r"frame 0 at 0\.100000 s instead of 0\.000000 s") as caught:
        verify(
            footage,
            {**request, "size": [footage.width, footage.height], "copied": [], "attached": [], "shift": "0"},
            lambda **_: None,
        )
    assert ("write to .mp4" in str(caught.value)) == advised


def test_a_footage_moved_is_the_same_otherwise(tmp_path):
    footage = ingest(make_clip(tmp_path / "a.mp4"), tmp_path / "cache")
    later = moved(footage, Fraction(1, 2))
    assert later.times == tuple(time + 45000 for time in footage.times)
    assert replace(later, times=footage.times) == footage and isinstance(later, Footage)
