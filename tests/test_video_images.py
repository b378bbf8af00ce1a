"""A folder of images as a clip: its rate, the names of its results, orientation."""

import json
from fractions import Fraction

import cv2
import numpy as np
import pytest
from PIL import Image

import selfhvd
from clips_for_tests import film, names, paint, quick, seconds, views
from selfhvd.errors import OutputError, UsageError
from selfhvd.report.record import read_run
from selfhvd.video import ingest
from selfhvd.video.read.images import list_images, png_names, rate_of

pytestmark = pytest.mark.unchecked

FILM = Fraction(1001, 24000)
"""Seconds between two frames of a film shown as video."""


@pytest.fixture
def run(run, quickly):
    quickly(steps=0)
    return run


@pytest.fixture
def shots(tmp_path):
    return paint(tmp_path / "shots", views(4, sharp=(0, 2)))


@pytest.mark.parametrize(
    ("said", "rate"),
    [(24, "24"), ("24000/1001", "24000/1001"), ("23.976", "2997/125"), (59.94, "2997/50"), (Fraction(25), "25"),
     ("0.5", "1/2"), (None, "30")],
)  # fmt: skip
def test_rates(shots, said, rate):
    assert rate_of(shots, said) == Fraction(rate)


@pytest.mark.parametrize("said", ["0", "-24", "nan", "inf", "1/0", "fast", "", "1001", 1e9, "24 fps"])
def test_what_is_no_rate(shots, said):
    with pytest.raises(UsageError, match=r"--fps .* is no rate"):
        rate_of(shots, said)


@pytest.mark.parametrize(
    "name", ["o.mp4", *(pytest.param(n, marks=pytest.mark.slow) for n in ("o.mkv", "o.mov", "o.ts"))]
)
def test_the_rate_arrives_in_the_video(tmp_path, shots, name):
    facts = selfhvd.deblur(shots, tmp_path / name, config=quick(steps=0), fps="24000/1001")
    result = ingest(tmp_path / name, tmp_path / "cache")
    slack = 0 if name in ("o.mp4", "o.mov") else result.time_base / 2
    assert all(abs(result.seconds(i) - i * FILM) <= slack for i in range(4))
    assert facts.fps == "24000/1001" == read_run(tmp_path / "o.run.json")["fps"]
    assert not any("frames a second" in warning for warning in facts.warnings)


@pytest.mark.slow
def test_without_a_rate_it_is_told_where_it_shows(tmp_path, shots):
    told = "the images are shown at 30 frames a second; another rate is chosen with --fps"
    assert told in selfhvd.deblur(shots, tmp_path / "o.mp4", config=quick(steps=0), report=False).warnings
    assert seconds(ingest(tmp_path / "o.mp4", tmp_path / "cache"))[:2] == [0, Fraction(1, 30)]
    assert selfhvd.deblur(shots, config=quick(steps=0), report=False).warnings == ()


def test_a_rate_for_a_file_is_refused_before_the_work(run, tmp_path, shots):
    clip = film(tmp_path / "a.mp4", views(2))
    for words in ([clip], [shots, clip], [clip, "--dry-run"]):
        refused = run(*words, "--fps", "24", "-q")
        assert refused.code == 2 and "a.mp4 has times of its own" in refused.err
    assert run(shots, "--fps", "fast", "-q").code == 2
    assert names(tmp_path) == ["a.mp4", "shots"]


@pytest.mark.slow
def test_the_rate_is_part_of_the_job(run, tmp_path, shots):
    class Power(Exception):
        pass

    def cut(stage, done, total):
        if stage == "restore":
            raise Power

    target = tmp_path / "o.mp4"
    with pytest.raises(Power):
        selfhvd.deblur(shots, target, config=quick(steps=0), fps=24, on_progress=cut)
    with pytest.raises(OutputError, match=r"frame rate \(was 24, is 25\)"):
        selfhvd.deblur(shots, target, config=quick(steps=0), fps=25)
    selfhvd.deblur(shots, target, config=quick(steps=0), fps=24)
    assert seconds(ingest(target, tmp_path / "cache"))[1] == Fraction(1, 24)
    again = [shots, "-o", target, "--device", "cpu", "--skip-existing", "-q"]
    assert run(*again, "--fps", "24").code == 0
    refused = run(*again)
    assert refused.code == 4 and "other settings" in refused.err


def test_png_results_keep_the_names(tmp_path, shots):
    for number, path in enumerate(sorted(shots.iterdir())):
        path.rename(shots / f"IMG_{number + 8}.png")
    (shots / "IMG_9.png").rename(shots / "IMG_9.PNG")
    selfhvd.deblur(shots, config=quick(steps=0), report=False, strength=0.0)
    result = tmp_path / "shots_deblurred"
    assert names(result) == ["IMG_10.png", "IMG_11.png", "IMG_8.png", "IMG_9.png"]
    for one, two in zip(list_images(shots), list_images(result), strict=True):
        assert np.array_equal(cv2.imread(str(one)), cv2.imread(str(two)))


def test_names_of_png_results_never_meet(tmp_path):
    def named(*words):
        return png_names([tmp_path / word for word in words])

    assert named("a.jpg", "b.tiff") == ("a.png", "b.png")
    assert named("a.jpg", "a.png", "b.png") == ("a.jpg.png", "a.png.png", "b.png")
    assert named("A.jpg", "a.png") == ("A.jpg.png", "a.png.png")
    assert named("a.jpg", "a.png", "a.jpg.bmp") == tuple(f"{i:08d}.png" for i in range(3))
    assert named("x" * 251 + ".jpg", "b.png")[0] == "x" * 251 + ".png"
    assert named("x" * 251 + ".jpg", "x" * 251 + ".png") == ("00000000.png", "00000001.png")


def test_orientation_of_photos_is_applied(tmp_path):
    folder = tmp_path / "shots"
    folder.mkdir()
    view = next(views(1))
    for number in range(2):
        tags = Image.Exif()
        tags[0x0112] = 6  # the camera was held upright
        Image.fromarray(view).save(folder / f"{number}.jpg", exif=tags, quality=98)
    footage = ingest(folder, tmp_path / "cache")
    assert (footage.width, footage.height) == (48, 64)
    assert np.abs(np.rot90(view, -1).astype(float) - footage.frame(0)).mean() < 4
    selfhvd.deblur(folder, config=quick(steps=0), report=False)
    assert cv2.imread(str(tmp_path / "shots_deblurred" / "0.png")).shape == (64, 48, 3)
    assert json.loads((tmp_path / "cache" / "footage.json").read_text())["names"] == ["0.png", "1.png"]
