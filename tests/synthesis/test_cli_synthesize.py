"""`selfhvd synthesize`: options, exit codes, one sentence."""

from functools import partial

import cv2
import pytest

from clips_for_tests import names


@pytest.fixture
def run(run):
    return partial(run, "synthesize")


@pytest.fixture
def photos(tmp_path, photo):
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "one.png"), photo[::2, ::2, ::-1])
    return tmp_path / "photos"


def test_both_makers(run, tmp_path, photos):
    """The truth of a film serves as high-rate frames; with two clips, one of which is too short, the exit code is 7."""
    film, shaken = tmp_path / "film", tmp_path / "shaken"
    words = ("--clips", 1, "--frames", 8, "--size", "96x64", "--crf", "none", "--kind", "plain", "-q")
    done = run("handheld", photos, film, *words)
    assert (done.code, done.out, done.err) == (0, f"{film}\n", "")
    assert names(film / "blur") == ["0000"]
    (film / "sharp" / "short").mkdir()
    (film / "sharp" / "0000" / "00000000.png").rename(film / "sharp" / "short" / "00000000.png")
    done = run("goproshake", film / "sharp", shaken, "--substeps", 3, "--interpolate", 2, "--crf", 30, "-q")
    assert done.code == 7 and done.out == "" and "1 clips could not be made. short:" in done.err
    assert names(shaken / "labels") == ["0000.json"] and len(names(shaken / "blur" / "0000")) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("handheld", "--size", "480"), "--size 480 is no size"),
        (("handheld", "--crf", "52"), "--crf must be 0 to 51"),
        (("handheld", "--crf", "26-8"), "--crf must be 0 to 51"),
        (("handheld", "--clips", "0"), "--clips must be at least 1"),
        (("goproshake", "--substeps", "4"), "--substeps must be odd"),
        (("goproshake", "--sharp-share", "1"), "--sharp-share must be at least 0 and below 1"),
        (("goproshake", "--interpolate", "0"), "--interpolate must be at least 1"),
        (("goproshake", "--K", "0"), "--K 0 must be a number above 0"),
        (("goproshake", "--K", "inf"), "--K inf must be a number above 0"),
        (("goproshake", "--K", "1", "--sharp-share", "0.5"), "--K says how many frames are sharp"),
    ],
)
def test_usage(run, tmp_path, photos, words, said):
    maker, *options = words
    refused = run(maker, photos, tmp_path / "made", *options)
    assert refused.code == 2 and said in refused.err and not (tmp_path / "made").exists()
