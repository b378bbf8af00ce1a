"""A preview: the hardest stretch that can be restored, found cheaply, shown with its report."""

from fractions import Fraction

import cv2
import pytest

import selfhvd
from clips_for_tests import always, film, names, paint, quick, seconds, views
from selfhvd.errors import UsageError
from selfhvd.report.record import read_run
from selfhvd.run.batch import gather
from selfhvd.run.preview import hardest, hardest_stretch
from selfhvd.video import Limits, ingest
from selfhvd.video.part import part_of
from test_video import make_clip, packets

pytestmark = pytest.mark.unchecked

TIMES = [Fraction(n, 10) for n in range(100)]


def shaken(index: int) -> bool:
    """Frames 24 to 35 are blurred but for each fourth."""
    return not 24 <= index < 36 or index % 4 == 0


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """Two seconds."""
    return film(tmp_path_factory.mktemp("filmed") / "clip.mp4", views(60, 96, 64, shaken), sound=True)


def test_the_most_blurred_stretch_that_has_sharp_frames_is_chosen():
    lengths = [0.5] * 100
    lengths[10:30] = [9.0] * 20  # in the middle of it there is nothing to restore from
    lengths[50:60] = [4.0, 4.0, 0.5, 4.0, 4.0] * 2
    found = hardest(TIMES, lengths, Fraction(1))
    assert str(found.part) == "0.9-1.9" and (found.frames, found.blurred) == (10, 9)
    assert str(hardest(TIMES, [min(length, 4.5) for length in [0.5] * 30 + lengths[30:]], Fraction(1)).part) == "5-6"


def test_without_a_sharp_frame_the_most_blurred_is_chosen():
    found = hardest(TIMES, [3.0] * 40 + [5.0] * 10 + [3.0] * 50, Fraction(1))
    assert str(found.part) == "4-5" and found.blurred == found.frames == 10


def test_a_preview_longer_than_the_clip_is_all_of_it():
    found = hardest(TIMES, [3.0] * 100, Fraction(60))
    assert str(found.part) == "0-60" and found.frames == 100


def test_what_cannot_be_told_counts_as_neither():
    unknown = float("inf")
    found = hardest(TIMES, [unknown] * 50 + [3.0, 0.5] * 10 + [unknown] * 30, Fraction(1))
    assert 5 <= found.part.start <= 6
    assert hardest(TIMES, [unknown] * 100, Fraction(1)).part.start == 0


def test_uneven_times_begin_with_a_frame():
    times = [Fraction(n, 30) + Fraction(n % 3, 97) for n in range(90)]
    found = hardest(times, [0.5] * 40 + [4.0, 4.0, 0.5] * 5 + [0.5] * 35, Fraction(1, 2))
    held = [n for n, time in enumerate(times) if found.part.covers(time)]
    assert len(held) == found.frames and 40 in held and 53 in held


def test_the_shaken_stretch_is_found_whatever_the_clip_is(filmed, tmp_path):
    told = []
    found = hardest_stretch(filmed, 0.5, on_progress=lambda *step: told.append(step))
    assert Fraction(2, 3) <= found.part.start <= Fraction(5, 6) and found.blurred == 9
    assert told[-1][:2] == ("preview", 60) and "9 of its 15 frames are blurred" in found.words
    shots = paint(tmp_path / "shots", views(60, 96, 64, shaken))
    slow = hardest_stretch(shots, 1.0, rate=Fraction(15))
    assert 1.3 < slow.part.start < 1.7 and slow.blurred == 9


def test_a_cut_is_not_taken_for_blur(tmp_path):
    """Another scene, which is smooth all over, is no harder than what is blurred."""
    smooth = [cv2.GaussianBlur(frame[::-1, ::-1], (0, 0), 3) for frame in views(30, 96, 64, always)]
    clip = film(tmp_path / "clip.mp4", [*views(60, 96, 64, shaken), *smooth])
    assert 0.6 < hardest_stretch(clip, 0.5).part.start < 0.9


def test_frames_wait_for_whoever_measures_them(filmed, tmp_path):
    most = 0

    def slowly(done, of):
        nonlocal most
        there = sorted((tmp_path / "cache" / "frames").iterdir())
        most = max(most, len(there))
        for path in there[:-1]:
            if int(path.stem) < done - 1:
                path.unlink()

    footage = ingest(filmed, tmp_path / "cache", on_frame=slowly, limits=Limits(longest=48, ahead=4))
    assert most <= 6 and (footage.width, footage.height, len(footage)) == (48, 32, 60)


def test_a_preview_says_what_it_shows_and_leaves_other_runs_alone(filmed, tmp_path, run, quickly, caplog):
    quickly(steps=0)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(filmed.read_bytes())
    other = tmp_path / ".clip_deblurred.mp4.selfhvd"
    other.mkdir()
    (other / "job.json").write_text("{}")
    done = run(clip, "--preview", "0.4")
    assert done.code == 0 and "The hardest stretch is from 0:00:00" in caplog.text
    assert done.out.strip() == str(tmp_path / "clip_preview.mp4")
    kept = ["clip.mp4", "clip_preview.mp4", "clip_preview.report.html", "clip_preview.run.json"]
    assert names(tmp_path) == [other.name, *kept] and names(other) == ["job.json"]
    record = read_run(tmp_path / "clip_preview.run.json")
    assert record["preview"] == 0.4 and record["frames"] == 12 and record["part"] != ""
    assert "the hardest stretch" in (tmp_path / "clip_preview.report.html").read_text()
    assert seconds(ingest(tmp_path / "clip_preview.mp4", tmp_path / "made")) == [Fraction(n, 30) for n in range(12)]

    assert gather([tmp_path]) == [clip]
    again = run(clip, "--preview", "0.4", "--skip-existing")
    assert again.code == 0 and "is there already" in again.err
    assert run(clip, "--preview", "0.5", "--skip-existing").code == 4


def test_a_preview_elsewhere_is_a_preview_all_the_same(filmed, tmp_path):
    facts = selfhvd.deblur(filmed, tmp_path / "out.mkv", config=quick(steps=0), preview=0.2, report=False)
    assert facts.preview == 0.2 and facts.frames == 6 and names(tmp_path) == ["out.mkv"]


def test_the_plan_of_a_preview_is_of_its_length(filmed, run, quickly):
    quickly(steps=0)
    plan = run(filmed, "--preview", "0.5", "--dry-run")
    assert plan.code == 0 and "the hardest 0.5 s (finding them is not counted): about 15 frames" in plan.out
    assert "clip_preview.mp4" in plan.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--preview", "0"), "a length above 0"),
        (("--preview", "nan"), "a length above 0"),
        (("--preview", "2", "--end", "3"), "does not go together with a start or an end"),
    ],
)
def test_previews_that_make_no_sense_are_refused(filmed, tmp_path, run, words, said):
    refused = run(filmed, "-o", tmp_path / "out.mp4", *words)
    assert refused.code == 2 and said in refused.err and names(tmp_path) == []
    with pytest.raises(UsageError, match="a length above 0"):
        selfhvd.deblur(filmed, tmp_path / "out.mp4", preview=-1)


def test_frames_that_stand_in_for_damaged_ones_are_measured_too(tmp_path):
    """More of them in a row than may lie on the disk at once."""
    clip = make_clip(
        tmp_path / "in.mkv", codec="mjpeg", pix_fmt="yuvj420p", color=(2, 5, 2, 2), times=range(0, 3000 * 60, 3000)
    )
    data = clip.read_bytes()
    for _, packet in packets(clip, "video")[10:50]:
        data = data.replace(packet, bytes(len(packet)))
    clip.write_bytes(data)
    told = []
    found = hardest_stretch(clip, 1.0, on_progress=lambda stage, done, total: told.append(done))
    assert found.frames == 30 and told[-1] == 60


def test_damaged_frames_outside_a_part_are_no_concern_of_it(tmp_path):
    clip = make_clip(
        tmp_path / "in.mkv", codec="mjpeg", pix_fmt="yuvj420p", color=(2, 5, 2, 2), times=range(0, 3000 * 12, 3000)
    )
    data = clip.read_bytes()
    for number in (2, 6, 10):
        packet = packets(clip, "video")[number][1]
        data = data.replace(packet, bytes(len(packet)))
    clip.write_bytes(data)
    whole, part = ingest(clip, tmp_path / "whole"), ingest(clip, tmp_path / "part", part=part_of("0.13", "0.3"))
    assert part.warnings == ("damaged frames repeat their neighbours: 2",)
    assert seconds(part) == seconds(whole)[4:9]
