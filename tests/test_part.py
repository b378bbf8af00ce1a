"""A part of a clip: its frames, times and sound are those of the whole clip; another part is another run."""

from fractions import Fraction

import av
import numpy as np
import pytest

import selfhvd
from clips_for_tests import film, names, paint, quick, seconds, sound_packets, unmoved, views
from selfhvd.errors import InputError, OutputError, UsageError
from selfhvd.report.record import read_run
from selfhvd.run.options import RunOptions
from selfhvd.run.up_to_date import is_finished
from selfhvd.video import ingest, open_writer
from selfhvd.video.part import Part, clock, part_of
from selfhvd.video.read import seek
from selfhvd.video.write.packets import Bounds, packets_of
from test_video import make_clip, packets

pytestmark = pytest.mark.unchecked

STEADY = tuple(3000 * n for n in range(60))
UNEVEN = tuple(np.cumsum([0, *np.random.default_rng(3).choice([1500, 3000, 6000, 9000], 59)]).tolist())
LINES = (
    (0.2, 0.9, "early"),
    (0.5, 1.4, "over the start"),
    (1.2, 1.3, "inside"),
    (1.7, 2.4, "over the end"),
    (2.5, 2.9, "late"),
)
"""Seconds from and to, and what is said there."""


def coded(path, codec="libx264", times=STEADY, **options):
    """A clip of noise with key frames every twelve frames and pictures that are coded out of order."""
    draw = np.random.default_rng(0)
    settings = {"video_track_timescale": "90000"} if path.suffix == ".mp4" else {}
    tick = Fraction(1, 30) if path.suffix == ".avi" else Fraction(1, 90000)
    with av.open(str(path), "w", container_options=settings) as out:
        video = out.add_stream(codec, rate=30, options={"g": "12", "bf": "2"} | options)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = tick
        for number, time in enumerate(times):
            image = draw.integers(0, 256, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number if path.suffix == ".avi" else time, tick
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def rewritten(source, path, part, **options):
    """The frames of a part of a source in a new file, and what was said."""
    footage = ingest(source, path.with_suffix(".cache"), part=part, destination=path)
    with open_writer(footage, path, **options) as writer:
        for index in range(len(footage)):
            writer.write(footage.frame(index))
    return footage, ingest(path, path.with_suffix(".again")), writer.warnings


def talking(path):
    """Three seconds of picture and sound in Matroska, with a subtitle and three chapters."""
    plain = film(path.with_name("plain.mkv"), views(90, 32, 32), sound=True)
    words = path.with_suffix(".srt")
    stamp = "00:00:{:06.3f}".format
    words.write_text(
        "\n".join(
            f"{n}\n{stamp(a)} --> {stamp(b)}\n{text}\n".replace(".", ",") for n, (a, b, text) in enumerate(LINES, 1)
        )
    )
    chapters = [
        {
            "id": n + 1,
            "start": 1000 * n,
            "end": 1000 * (n + 1),
            "time_base": Fraction(1, 1000),
            "metadata": {"title": str(n)},
        }
        for n in range(3)
    ]
    with av.open(str(plain)) as seen, av.open(str(words)) as said, av.open(str(path), "w") as out:
        out.set_chapters(chapters)
        streams = [out.add_stream_from_template(stream, opaque=True) for stream in (*seen.streams, *said.streams)]
        for packet, number in [*((p, p.stream_index) for p in seen.demux()), *((p, 2) for p in said.demux())]:
            if packet.size:
                packet.stream = streams[number]
                out.mux(packet)
    return path


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("12.5", None, "12.5-end"),
        (None, "1:02", "0-62"),
        ("0:01:02.25", "1:00:00", "62.25-3600"),
        (1, 2.5, "1-2.5"),
        (Fraction(5, 2), None, "2.5-end"),
    ],
)
def test_times_are_seconds_or_a_clock(start, end, said):
    assert str(part_of(start, end)) == said


def test_no_time_is_the_whole_clip_and_names_hold_no_dot():
    assert part_of(None, None) is None and part_of("0", None) is None
    assert Part(Fraction(1, 2), Fraction(20)).name == "0_5-20"
    assert clock(Fraction(3723, 1) + Fraction(1, 20)) == "1:02:03.05" and clock(Fraction(60)) == "0:01:00"


@pytest.mark.parametrize("time", ["soon", "1:75", "-3", "nan", "1:2:3:4", "", -1, float("nan"), float("inf"), "1/0"])
def test_what_is_no_time_is_refused(time):
    with pytest.raises(UsageError, match="is no time in a clip"):
        part_of(time, None)


@pytest.mark.parametrize(("start", "end"), [(3, 3), ("0:05", "4"), (None, 0)])
def test_a_part_that_ends_before_it_starts_is_refused(start, end):
    with pytest.raises(UsageError, match="must end later"):
        part_of(start, end)


OPEN = "keyint=12:bframes=3:open-gop=1:log-level=none"


@pytest.mark.parametrize(
    ("name", "codec", "times", "options"),
    [
        ("a.mp4", "libx264", STEADY, {}),
        ("a.mp4", "libx264", UNEVEN, {}),
        ("a.mkv", "libx264", UNEVEN, {}),
        ("a.mp4", "libx265", STEADY, {"x265-params": OPEN}),
        ("a.ts", "libx264", STEADY, {}),
        ("a.ts", "libx265", STEADY, {"x265-params": OPEN}),
        ("a.webm", "libvpx-vp9", STEADY, {}),
        ("a.avi", "libx264", STEADY, {}),
    ],
)
def test_frames_and_times_are_those_of_the_whole_clip(tmp_path, name, codec, times, options):
    clip = coded(tmp_path / name, codec, times, **options)
    whole = ingest(clip, tmp_path / "whole")
    for part in (
        Part(Fraction(1)),
        Part(Fraction(7, 10), Fraction(8, 5)),
        Part(end=Fraction(1)),
        Part(Fraction(41, 30), Fraction(42, 30)),
    ):
        held = [i for i in range(len(whole)) if part.covers(whole.seconds(i) - whole.seconds(0))]
        found = ingest(clip, tmp_path / "part", part=part)
        assert seconds(found) == [whole.seconds(i) for i in held]
        assert all((found.frame(n) == whole.frame(i)).all() for n, i in enumerate(held))
        assert found.begins == (found.seconds(0) if part.start else None)
        assert not any("ends early" in text for text in found.warnings)


def test_what_comes_before_the_part_is_not_decoded(tmp_path, monkeypatch):
    clip = coded(tmp_path / "a.mp4", times=tuple(3000 * n for n in range(300)))
    part = Part(Fraction(9), Fraction(19, 2))
    span = seek.span_of(clip, part, seek.Limits())
    with seek.open_at(clip, span, seek.Limits()) as container:
        first = next(container.decode(video=0))
        assert part.start - 12 * Fraction(1, 30) <= first.pts * first.time_base < part.start
    assert len(list((tmp_path / "cache").rglob("*.frame"))) == 0
    assert len(ingest(clip, tmp_path / "cache", part=part)) == 15 == len(list((tmp_path / "cache").rglob("*.frame")))


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv", "out.ts", "out.avi"])
@pytest.mark.parametrize("times", [STEADY, UNEVEN])
def test_sound_is_cut_to_the_part_and_stays_with_the_picture(tmp_path, name, times):
    clip = make_clip(tmp_path / "in.mp4", times=times if name != "out.avi" else STEADY, sound=True)
    part = Part(Fraction(1, 10), Fraction(1, 4))
    footage, after, warnings = rewritten(clip, tmp_path / name, part)
    slack = Fraction(1, 1000)
    assert after.seconds(0) == 0
    assert all(abs(b - a + footage.begins) <= slack for a, b in zip(seconds(footage), seconds(after), strict=True))
    there = [(time - footage.begins, data) for time, data in packets(clip, "audio")]
    kept = [(time, data) for time, data in there if 0 <= time < footage.ends - footage.begins]
    found = packets(tmp_path / name, "audio")
    if name != "out.ts":  # which frames the sound otherwise
        assert [data for _, data in found] == [data for _, data in kept]
    if name != "out.avi":  # which lets everything begin at once, within a packet
        assert all(abs(a - b) <= slack for (a, _), (b, _) in zip(found, kept, strict=True))
    assert len(kept) > 3 and not any("moved together" in text for text in warnings)


def test_subtitles_and_chapters_are_cut_to_what_is_shown(tmp_path):
    clip = talking(tmp_path / "in.mkv")
    target = tmp_path / "out.mkv"
    rewritten(clip, target, Part(Fraction(1), Fraction(2)))
    with av.open(str(target)) as made:
        said = [
            (p.pts * p.time_base, p.duration * p.time_base, bytes(p).decode())
            for p in made.demux(subtitles=0)
            if p.size
        ]
        chapters = [
            (c["metadata"]["title"], c["start"] * c["time_base"], c["end"] * c["time_base"]) for c in made.chapters()
        ]
    assert said == [
        (0, Fraction(2, 5), "over the start"),
        (Fraction(1, 5), Fraction(1, 10), "inside"),
        (Fraction(7, 10), Fraction(3, 10), "over the end"),
    ]
    assert chapters == [("1", 0, 1)]


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_track_with_nothing_in_the_part_is_named(tmp_path, name):
    clip = film(tmp_path / "in.mp4", views(60, 32, 32), sound=True)  # its sound lasts 0.4 s
    _, after, warnings = rewritten(clip, tmp_path / name, Part(Fraction(1), Fraction(3, 2)))
    assert "stream 1 (aac audio) holds nothing in this part and is left out" in warnings
    assert after.tracks == () and len(after) == 15


def test_a_part_from_the_start_keeps_what_comes_before_the_picture(tmp_path):
    clip = make_clip(tmp_path / "in.mkv", times=STEADY, sound=True)
    footage, after, _ = rewritten(clip, tmp_path / "out.mkv", Part(end=Fraction(1, 5)))
    assert footage.begins is None and after.seconds(0) == footage.seconds(0)
    assert packets(tmp_path / "out.mkv", "audio") == [
        (time, data) for time, data in packets(clip, "audio") if time < Fraction(1, 5)
    ]


def test_a_folder_of_images_is_cut_by_its_rate(tmp_path):
    shots = paint(tmp_path / "shots", views(12, 64, 48))
    facts = selfhvd.deblur(shots, config=quick(steps=0), start=0.25, end=0.75, fps=12, report=False)
    assert facts.frames == 6 and facts.seconds == 0.5 and facts.part == "0.25-0.75"
    assert names(tmp_path / "shots_0_25-0_75_deblurred") == [f"shot{n}.png" for n in range(4, 10)]
    selfhvd.deblur(shots, tmp_path / "out.mp4", config=quick(steps=0), start=0.25, end=0.75, fps=12, report=False)
    made = ingest(tmp_path / "out.mp4", tmp_path / "made")
    assert seconds(made) == [Fraction(n, 12) for n in range(6)]


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """Twelve frames, 0.4 s."""
    return film(tmp_path_factory.mktemp("filmed") / "clip.mp4", views(), sound=True)


class Power(Exception):
    """It went out."""


def test_another_part_is_another_run(filmed, tmp_path):
    def cut_off(stage, done, total):
        if stage == "restore" and done == 2:
            raise Power

    settings = {"config": quick(steps=0), "end": "0.3", "report": False}
    target = tmp_path / "out.mp4"
    with pytest.raises(Power):
        selfhvd.deblur(filmed, target, start=0.1, on_progress=cut_off, **settings)
    with pytest.raises(OutputError, match=r"the input's part \(was 0.1-0.3, is 0.2-0.3\)"):
        selfhvd.deblur(filmed, target, start=0.2, **settings)
    with pytest.raises(OutputError, match=r"the input's part \(was 0.1-0.3, is none\)"):
        selfhvd.deblur(filmed, target, **settings | {"end": None})
    stages: set[str] = set()
    facts = selfhvd.deblur(filmed, target, start="0.1", on_progress=lambda stage, *_: stages.add(stage), **settings)
    assert facts.frames == 6 and stages == {"restore", "verify"} and names(tmp_path) == ["out.mp4"]


def test_a_part_without_blur_is_cut_out_and_not_copied_whole(tmp_path, run, quickly):
    quickly(steps=0)
    clip = film(tmp_path / "clip.mp4", views(12, 96, 64, unmoved), sound=True)
    done = run(clip, "--start", "0.1", "--end", "0:00.3")
    target = tmp_path / "clip_0_1-0_3_deblurred.mp4"
    assert done.code == 0 and "the part is only cut out" in done.err and done.out.strip() == str(target)
    made, whole = ingest(target, tmp_path / "made"), ingest(clip, tmp_path / "whole")
    assert seconds(made) == [time - Fraction(1, 10) for time in seconds(whole)[3:9]]
    record = read_run(target.with_name("clip_0_1-0_3_deblurred.run.json"))
    assert record["part"] == "0.1-0.3" and record["frames"] == record["left"] == 6
    assert "0.1-0.3 s" in target.with_name("clip_0_1-0_3_deblurred.report.html").read_text()
    here, there = sound_packets(target), [p for p in sound_packets(clip) if Fraction(1, 10) <= p[0] < Fraction(3, 10)]
    assert [data for _, data in here] == [data for _, data in there]

    again = run(clip, "--start", "0.1", "--end", "0.3", "--skip-existing")
    assert again.code == 0 and "is there already" in again.err
    other = run(clip, "--start", "0.1", "-o", target, "--skip-existing")
    assert other.code == 4 and "made with other settings" in other.err
    with pytest.raises(OutputError, match="other settings"):
        is_finished(clip, target, quick(steps=0))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--start", "soon"), 2, "soon is no time in a clip"),
        (("--start", "0.3", "--end", "0.2"), 2, "must end later than at 0:00:00.2"),
        (("--start", "7"), 3, "ends at 0:00:00.4; a part cannot start at 0:00:07"),
        (("--start", "0.35", "--end", "0.36"), 3, "holds no frame from 0:00:00.35 to 0:00:00.36"),
    ],
)
def test_a_part_that_is_not_there_is_refused(filmed, tmp_path, run, quickly, words, code, said):
    quickly(steps=0)
    refused = run(filmed, "-o", tmp_path / "out.mp4", *words)
    assert refused.code == code and said in refused.err and names(tmp_path) == []
    if "0.35" not in words:  # which the head of a clip does not tell
        foretold = run(filmed, "-o", tmp_path / "out.mp4", *words, "--dry-run")
        assert foretold.code == code and said in foretold.err


def test_the_plan_and_the_inspection_are_of_the_part(filmed, run, quickly):
    quickly(steps=0)
    plan = run(filmed, "--start", "0.1", "--end", "0.3", "--dry-run")
    assert plan.code == 0 and "from 0:00:00.1 to 0:00:00.3: about 6 frames" in plan.out
    assert "clip_0_1-0_3_deblurred.mp4" in plan.out
    shown = run("inspect", filmed, "--start", "0.1", "--end", "0.3", "-q")
    assert shown.code == 0 and "6 frames, 64x48" in shown.out and "0.100" in shown.out


def test_an_animation_is_cut_too(tmp_path):
    from PIL import Image

    pictures = [Image.fromarray(image) for image in views(6, 32, 32)]
    pictures[0].save(tmp_path / "a.webp", save_all=True, append_images=pictures[1:], duration=100, lossless=True)
    found = ingest(tmp_path / "a.webp", tmp_path / "cache", part=part_of(0.2, 0.45))
    assert found.times == (200, 300, 400) and found.durations == (100, 100, 50) and found.begins == Fraction(1, 5)
    with pytest.raises(InputError, match="holds no frame from 0:00:09 to the end"):
        ingest(tmp_path / "a.webp", tmp_path / "cache", part=part_of(9, None))


def test_the_ending_of_the_name_tells_the_part():
    assert RunOptions().ending == "_deblurred" and RunOptions(start=2).ending == "_2-end_deblurred"


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv", "in.ts"])
def test_a_part_far_inside_is_sought(tmp_path, monkeypatch, name):
    """The same packets, without those long before."""
    clip = make_clip(tmp_path / name, times=STEADY, sound=True)
    bounds = Bounds(Fraction(1, 5), Fraction(1, 4))
    wanted = held(clip, bounds)
    monkeypatch.setattr("selfhvd.video.write.packets._APART", Fraction(1, 10))
    assert held(clip, bounds) == wanted != []


def held(clip, bounds):
    """Times and bytes of the sound within bounds."""
    with av.open(str(clip)) as container:
        return [(packet.pts, bytes(packet)) for _, packet in packets_of(container, [1], bounds)]


@pytest.mark.parametrize(("name", "codec"), [("in.mp4", "aac"), ("in.mov", "pcm_s16le"), ("in.mkv", "libopus")])
def test_what_is_heard_is_heard_at_its_time(tmp_path, name, codec):
    clip = clicking(tmp_path / name, codec)
    footage, _, _ = rewritten(clip, tmp_path / f"out{clip.suffix}", Part(Fraction(101, 100), Fraction(2)))
    expected = [time - float(footage.begins or 0) for time in clicks(clip)]
    found = clicks(tmp_path / f"out{clip.suffix}")
    assert len(found) >= 9 and all(min(abs(time - other) for other in expected) < 0.001 for time in found)


def clicking(path, codec):
    """Three seconds with a click each tenth of a second."""
    plain = film(path.with_name("plain.mp4"), views(90, 32, 32))
    wave = np.zeros(3 * 48000, np.float32)
    for click in range(30):
        wave[4800 * click : 4800 * click + 40] = 0.8 * np.sin(np.arange(40) * (0.3 + 0.02 * click))
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        video = out.add_stream_from_template(source.streams.video[0], opaque=True)
        sound = out.add_stream(codec, rate=48000, layout="mono")
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = video
                out.mux(packet)
        whole = sound.format.name.startswith("s16")
        for start in range(0, wave.size, 960):
            block = wave[None, start : start + 960]
            block = (32767 * block).astype(np.int16) if whole else block
            frame = av.AudioFrame.from_ndarray(block, format=sound.format.name, layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    return path


def clicks(path):
    """Seconds at which something begins to be heard."""
    times: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            wave = frame.to_ndarray().reshape(-1)
            loud = np.abs(wave.astype(float)) > (0.3 * 32767 if wave.dtype == np.int16 else 0.3)
            for time in frame.time + np.flatnonzero(loud) / 48000:
                if not times or time > times[-1] + 0.01:
                    times.append(time)
    return times
