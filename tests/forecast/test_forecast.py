"""The forecast: what is told before a run holds in the run, and nothing is written."""

from collections import namedtuple
from dataclasses import replace

import pytest

from clips_for_tests import film, names, paint, views
from selfhvd.backbones.backbone import Needs
from selfhvd.errors import InputError, OutputError
from selfhvd.forecast.forecast import forecast
from selfhvd.forecast.pace import Pace, expected_seconds, measure_pace
from selfhvd.forecast.words import as_text, rough
from selfhvd.run.config import preset_config
from selfhvd.run.disk_space import check_room, needed_room
from selfhvd.system.disk import in_bytes
from selfhvd.video import ingest
from selfhvd.video.probe import Probe, probe
from selfhvd.video.write.encoder_choice import plan

PACE = Pace(2e-6, 1e-6, Needs(guides=2, bytes_per_pixel=100), "dis", "cpu")
HEAD = Probe("container", 1000, 500, 10, True, "h264", "yuv420p", 8, 600_000, 700_000)
FAST = preset_config("fast")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return film(tmp_path_factory.mktemp("shelf") / "clip.mov", views(), rotation=90)


@pytest.fixture
def full(monkeypatch):
    """A disk with so many bytes free."""

    def fill(free):
        monkeypatch.setattr("shutil.disk_usage", lambda folder: namedtuple("Usage", "free")(free))

    return fill


class TestHead:
    def test_is_what_decoding_finds(self, clip, tmp_path):
        head, footage = probe(clip), ingest(clip, tmp_path / "cache")
        assert (head.width, head.height, head.frames, head.stated) == (48, 64, 12, True)
        assert (head.codec, head.pixel_format, head.depth) == (footage.codec, footage.pixel_format, footage.depth)
        assert head.frame_bytes == pytest.approx(footage.path(0).stat().st_size, rel=0.05)

    def test_frames_that_are_not_stated_are_reckoned(self, tmp_path):
        head = probe(film(tmp_path / "clip.mkv", views()))
        assert not head.stated and head.frames in (12, 13)

    def test_images(self, tmp_path):
        head = probe(paint(tmp_path / "shots", views(3)))
        assert (head.kind, head.frames, head.width, head.height, head.codec) == ("images", 3, 64, 48, "png")

    @pytest.mark.parametrize(("content", "said"), [(b"", "empty file"), (b"no film" * 99, "not a video")])
    def test_no_video(self, tmp_path, content, said):
        (tmp_path / "a.mp4").write_bytes(content)
        with pytest.raises(InputError, match=said):
            probe(tmp_path / "a.mp4")

    @pytest.mark.subprocess
    def test_a_child_that_dies(self, clip, monkeypatch):
        monkeypatch.setattr("selfhvd.video.process.child.sys.executable", "/bin/false")
        with pytest.raises(InputError, match="made the decoder stop after frame 0"):
            probe(clip)


class TestDisk:
    def test_by_hand(self, tmp_path):
        room = needed_room(HEAD, tmp_path / "a.mp4", FAST)
        assert (room.cache, room.material, room.result) == (12_000_000, 0, 500_000)
        # 10 frames twice in 16 bits, 40 motions of six floats at 640 of 1000 pixels.
        shelf = needed_room(HEAD, tmp_path / "a.mp4", FAST, workers=4).shelf
        assert room.shelf == 0 and shelf == 500_000 * (20 * 6 + 40 * 24 * 0.64**2)
        learned = needed_room(HEAD, tmp_path / "a.mp4", preset_config("balanced", from_scratch=True))
        assert learned.material == 10 * 500_000 * 27  # frame 3, truth 3, four guides of 3, 1 and 1, 1 to spare
        assert needed_room(HEAD, tmp_path / "shots", FAST).result == 7_000_000

    def test_a_black_first_frame_says_nothing(self, tmp_path):
        room = needed_room(replace(HEAD, frame_bytes=2_000), tmp_path / "a.mp4", FAST)
        assert room.cache == 2 * 10 * 450_000

    @pytest.mark.slow
    def test_a_full_disk(self, clip, tmp_path, full):
        needed = needed_room(probe(clip), tmp_path / "a.mp4", FAST).total
        full(needed)
        check_room(clip, tmp_path / "a.mp4", FAST)
        full(needed - 1)
        with pytest.raises(OutputError, match=r"needs about 0\.\d MB in .*, 0\.\d MB are free"):
            check_room(clip, tmp_path / "a.mp4", FAST)
        check_room(clip, tmp_path / "a.mp4", FAST, held=1)

    def test_words(self):
        assert [in_bytes(n) for n in (400_000, 64_000_000, 3_200_000_000)] == ["0.4 MB", "64 MB", "3.2 GB"]


class TestTime:
    def test_by_hand(self):
        # One view, four sharp frames, the frame beside it, seen at 640 of 1000 pixels; 0.225 s of coding; 3 s before.
        one = 500_000 * 2e-6 + 5 * 500_000 * 0.64**2 * 1e-6
        assert expected_seconds(HEAD, FAST, PACE) == pytest.approx(3 + 10 * (one + 0.225))
        assert expected_seconds(HEAD, FAST, PACE, workers=4) == pytest.approx(3 + 10 * (1.15 * one / 4 + 0.225))

    def test_without_guides_there_is_one_round(self):
        pace = replace(PACE, needs=Needs(window=20))
        assert expected_seconds(HEAD, FAST, pace) == pytest.approx(3 + 10 * (500_000 * (2e-6 + 0.64**2 * 1e-6) + 0.225))

    def test_learning_takes_its_time_and_no_more_than_allowed(self):
        balanced = preset_config("balanced", from_scratch=True)
        longer = expected_seconds(HEAD, balanced, PACE) - expected_seconds(HEAD, FAST, PACE)
        assert longer > 900 * 3 * 2 * 256**2 * 2e-6
        bounded = expected_seconds(HEAD, replace(balanced, max_minutes=1.0), PACE)
        unlearned = expected_seconds(HEAD, replace(FAST, restore=balanced.restore, align=balanced.align), PACE)
        assert bounded == pytest.approx(unlearned + 60)

    def test_words(self):
        assert [rough(s) for s in (0.2, 42.0, 200.0, 9000.0)] == ["5 s", "40 s", "3 min", "2.5 h"]

    @pytest.mark.slow
    def test_measured(self):
        pace = measure_pace(replace(FAST, device="cpu"))
        assert pace.flow == "dis" and pace.device == "cpu" and pace.needs.guides == 2
        assert 1e-9 < pace.view < 1e-2 and 1e-9 < pace.guide < 1e-2


class TestForecast:
    @pytest.mark.slow
    def test_tells_what_the_writer_will_choose(self, clip, tmp_path):
        found = forecast(clip, tmp_path / "a.mkv", FAST, PACE)
        chosen = plan(ingest(clip, tmp_path / "cache"), tmp_path / "a.mkv")
        assert (found.container, found.codec, found.pixel_format) == (
            chosen.container,
            chosen.codec,
            chosen.pixel_format,
        )
        said = as_text(found)
        assert "12 frames of 48x64, h264, 8 bits" in said and "matroska, libx264, yuv420p" in said
        assert "preset fast: network lite, flow dis, on cpu; uses the weights as they are" in said
        assert forecast(clip, tmp_path / "shots", FAST, PACE).codec == "png"
        assert found.facts()["disk"]["total"] == found.room.total

    def test_more_sets_of_guides_more_memory(self, clip, tmp_path, monkeypatch):
        """Thirteen restored guides instead of five, so large that the process itself hardly counts."""
        monkeypatch.setattr("selfhvd.forecast.forecast.probe", lambda _: replace(HEAD, width=4000, height=3000))
        fast, best = (forecast(clip, tmp_path / "o.mp4", preset_config(name), PACE) for name in ("fast", "best"))
        assert best.memory - fast.memory == pytest.approx(8 * 12 * 12_000_000, rel=0.2)

    @pytest.mark.slow
    def test_more_pixels_more_memory(self, clip, tmp_path):
        small, wide = (forecast(clip, tmp_path / "a.mp4", FAST, replace(PACE, needs=Needs(window=w))) for w in (1, 4))
        assert wide.memory - small.memory > 2 * 4000 * 48 * 64


@pytest.fixture
def pace(monkeypatch):
    """As measured: `TestTime` measures, and a command of README.md does."""
    monkeypatch.setattr("selfhvd.cli.clip_runs.measure_pace", lambda config: PACE)


class TestDryRun:
    def test_writes_nothing(self, run, pace, clip):
        before = names(clip.parent)
        shown = run(clip, "--dry-run")
        assert shown.code == 0 and shown.out.startswith(f"{clip} -> {clip.parent / 'clip_deblurred.mov'}\n")
        assert names(clip.parent) == before

    def test_fails_as_the_run_would(self, run, pace, clip, tmp_path, full):
        taken = tmp_path / "a.mp4"
        taken.write_bytes(b"old")
        assert run(clip, "-o", taken, "--dry-run").code == 4
        assert run(tmp_path / "nowhere.mp4", "--dry-run").code == 3
        full(1000)
        for words in (["--dry-run"], []):
            refused = run(clip, "-o", tmp_path / "b.mp4", *words)
            assert refused.code == 4 and "make room" in refused.err
        assert names(tmp_path) == ["a.mp4"]

    @pytest.mark.slow
    def test_many(self, run, pace, clip, tmp_path):
        bad = tmp_path / "bad.mp4"
        bad.write_bytes(b"")
        shown = run(clip, bad, "-o", tmp_path / "out", "--dry-run")
        assert shown.code == 7 and "1 clip, about 5 s and" in shown.out and "empty file" in shown.err
        assert names(tmp_path) == ["bad.mp4"]
