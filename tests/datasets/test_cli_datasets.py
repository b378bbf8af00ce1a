"""`selfhvd datasets`: what it prints, its exit codes, one sentence on stderr."""

import json
import shutil
from functools import partial

import pytest
from trees import tree

from clips_for_tests import film, views


@pytest.fixture
def run(run):
    return partial(run, "datasets")


def test_table(run, tmp_path):
    tree(tmp_path, "gopro")
    shown = run(tmp_path)
    lines = [line.split() for line in shown.out.splitlines()]
    assert shown.code == 0 and shown.err == "" and lines[0][0] == "gopro:"
    assert ["test/GOPR0_11_2", "3", "6x4", "yes"] in lines and ["4", "clips,", "12", "frames"] in lines


def test_json(run, tmp_path):
    tree(tmp_path, "hvd")
    facts = json.loads(run(tmp_path, "--json", "--part", "test").out)
    row = {"clip": "test/walk2", "part": "test", "frames": 3, "width": 6, "height": 4, "truth": False}
    assert facts["layout"] == "hvd" and facts["name"] == tmp_path.name and facts["faults"] == []
    assert facts["clips"] == [row, {**row, "clip": "test/walk10"}]


@pytest.mark.slow
def test_videos_are_looked_into(run, tmp_path):
    """Upright, whatever the stored size; one that cannot be decoded is told by name, and the rest is shown."""
    film(tmp_path / "a.mp4", views(3))
    film(tmp_path / "b.mp4", views(5), rotation=90)
    (tmp_path / "c.mp4").write_bytes(b"\0\0\0\x08ftyp no video")
    shown = run(tmp_path, "--json")
    facts = json.loads(shown.out)
    assert [(row["frames"], row["width"], row["height"]) for row in facts["clips"]] == [(3, 64, 48), (5, 48, 64)]
    assert shown.code == 7 and "c.mp4" in facts["faults"][0]
    assert shown.err.splitlines()[-1] == f"selfhvd: 1 of 3 clips in {tmp_path} cannot be used."


def test_videos_that_differ_from_their_truth(run, tmp_path):
    for folder, count in (("blur", 3), ("sharp", 4)):
        (tmp_path / folder).mkdir()
        film(tmp_path / folder / "a.mp4", views(count))
    shown = run(tmp_path)
    assert shown.code == 3 and "3 frames of 64x48" in shown.err and "4 frames of 64x48" in shown.err


def test_broken_clips_are_named_and_the_rest_is_shown(run, tmp_path):
    tree(tmp_path, "gopro")
    shutil.rmtree(tmp_path / "test" / "GOPR0_11_2" / "sharp")
    shown = run(tmp_path)
    assert shown.code == 7 and "test/GOPR0_11_10" in shown.out and "3 clips, 9 frames" in shown.out
    first, last = shown.err.splitlines()
    assert first.startswith("selfhvd: Clip test/GOPR0_11_2 lacks") and last.startswith("selfhvd: 1 of 4 clips")


def test_every_broken_clip_is_named_where_none_is_left(run, tmp_path):
    names = tree(tmp_path, "gopro")
    for name in names:
        shutil.rmtree(tmp_path / name / "sharp")
    shown = run(tmp_path)
    assert shown.code == 3 and shown.out == "" and len(shown.err.splitlines()) == len(names) + 1
    assert all(f"Clip {name} lacks a folder" in shown.err for name in names)


@pytest.mark.parametrize(("words", "code"), [((), 3), (("--layout", "dvd"), 2), (("--part", "all"), 2)])
def test_refusals(run, tmp_path, words, code):
    shown = run(tmp_path, *words)
    assert shown.code == code and shown.out == "" and "Traceback" not in shown.err
