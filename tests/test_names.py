"""File names: bytes that are no text, and names as long as a file system takes."""

import io
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

import selfhvd
from clips_for_tests import always, film, names, quick, views
from selfhvd.cli.words import out, set_up_names
from selfhvd.errors import OutputError
from selfhvd.report.record import read_run
from selfhvd.video import check_destination, default_destination, ingest

pytestmark = pytest.mark.unchecked

RAW = os.fsdecode(b"caf\xe9")
"""A name in Latin-1, as old cameras and archives leave it: no UTF-8."""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shelf")
    film(folder / "mixed.mp4", views(6, sharp=(0, 3)), sound=True)
    film(folder / "sharp.mp4", views(3, sharp=always))
    return folder


@pytest.fixture
def run(run, quickly):
    quickly(steps=0)
    return run


@pytest.fixture
def odd(tmp_path):
    """A folder whose name is no text; skipped where the file system has no such names."""
    folder = tmp_path / os.fsdecode(b"f\xff")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes text only")
    return folder


def test_a_name_that_is_no_text(odd, shelf):
    source = Path(shutil.copy(shelf / "mixed.mp4", odd / f"{RAW}.mp4"))
    selfhvd.deblur(source, config=quick(steps=0))
    stem = f"{RAW}_deblurred"
    assert names(odd) == sorted([source.name, f"{stem}.mp4", f"{stem}.report.html", f"{stem}.run.json"])
    page = (odd / f"{stem}.report.html").read_bytes().decode()
    assert "caf?" in page
    told = (odd / f"{stem}.run.json").read_bytes()
    assert json.loads(told.decode())["output"] == str(odd / f"{stem}.mp4")
    assert Path(read_run(odd / f"{stem}.run.json")["source"]) == source


@pytest.mark.slow
def test_images_in_and_out_of_a_folder_that_is_no_text(odd, shelf):
    selfhvd.deblur(shelf / "mixed.mp4", odd / RAW, config=quick(steps=0), report=False)
    assert names(odd / RAW) == [f"{i:08d}.png" for i in range(6)]
    (odd / RAW / "00000003.png").rename(odd / RAW / f"{RAW}.png")
    selfhvd.deblur(odd / RAW, odd / "again", config=quick(steps=0), report=False)
    assert f"{RAW}.png" in names(odd / "again")


def test_a_bad_name_takes_no_other_clip_with_it(run, odd, shelf):
    for name in (f"{RAW}.mp4", "a.mp4", "z" * 240 + ".mp4"):
        shutil.copy(shelf / "sharp.mp4", odd / name)
    done = run(odd, odd / ("x" * 300), "-q", "--no-report")
    assert done.code == 7 and len(done.out.splitlines()) == 3, done.err
    assert "1 of 4 clips" in done.err and "cannot be read (File name too long)" in done.err
    assert len(names(odd)) == 6


def test_what_is_printed_is_the_name_itself(monkeypatch):
    for encoding, shown in (("utf-8", b"caf\xe9 \xc3\xbc"), ("ascii", b"caf\xe9 \\xfc")):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
        set_up_names()
        out(f"{RAW} ü")
        assert written.getvalue() == shown + b"\n"
        monkeypatch.undo()


@pytest.mark.slow
@pytest.mark.parametrize(("length", "report"), [(242, True), (251, False)])
def test_names_too_long_are_told_before_the_work(tmp_path, shelf, length, report):
    source = Path(shutil.copy(shelf / "sharp.mp4", tmp_path / ("ä" * ((length - 4) // 2) + ".mp4")))
    told = []
    with pytest.raises(OutputError, match=r"too long to be written: .* choose a shorter one with --output"):
        selfhvd.deblur(source, config=quick(), report=report, on_progress=lambda *step: told.append(step))
    assert not told and names(tmp_path) == [source.name]
    selfhvd.deblur(source, tmp_path / "short.mp4", config=quick(), report=report)


@pytest.mark.slow
def test_a_name_that_just_fits(tmp_path, shelf):
    target = tmp_path / ("y" * (255 - len(".report.html")) + ".mp4")
    selfhvd.deblur(shelf / "mixed.mp4", target, config=quick(steps=0))
    assert len(names(tmp_path)) == 3 and max(map(len, names(tmp_path))) == 255


def test_too_long_a_name_is_one_sentence_everywhere(run, tmp_path, shelf):
    clip, long = shelf / "sharp.mp4", "x" * 300
    for words in ([clip, "-o", f"{long}.mp4"], [clip, "-o", long], [clip, "-o", long, "--skip-existing"],
                  [clip, clip, shelf / "mixed.mp4", "-o", long], [clip, "-o", "y" * 250, "--dry-run"]):  # fmt: skip
        refused = run(*words, "-q")
        assert refused.code == 4 and "too long" in refused.err and len(refused.err.splitlines()) == 1, refused.err
    assert run(tmp_path / long, "-q").code == 3
    with pytest.raises(OutputError, match="too long"):
        check_destination(clip, tmp_path / f"{long}.mp4")


def test_cached_frames_are_read_under_any_name(odd, shelf):
    footage = ingest(shelf / "mixed.mp4", odd / "cache")
    assert footage.frame(5).shape == (48, 64, 3)
    assert len(os.fsencode(default_destination(odd / f"{RAW}.mp4").name)) == len(b"caf\xe9_deblurred.mp4")
