"""What a training fills on the disk: foretold, told, and refused before any clip is read."""

from collections import namedtuple

import pytest

from clips_for_tests import film, views
from datasets_for_training import command, pairs, quick, stopping, tables
from selfhvd.datasets import open_dataset
from selfhvd.errors import OutputError, Stopped
from selfhvd.system.disk import filled
from selfhvd.training.disk_space import check_room, needed_room
from selfhvd.training.job import first_network, train
from selfhvd.training.recipe import typed

PIXELS = 64 * 48


@pytest.fixture
def full(monkeypatch):
    """A disk with so many bytes free."""

    def fill(free):
        monkeypatch.setattr("shutil.disk_usage", lambda folder: namedtuple("Usage", "free")(free))

    return fill


def room(folder, **tops):
    recipe = quick(folder, **tops)
    return needed_room(open_dataset(folder).clips, recipe, first_network(recipe))


def test_by_hand(clips):
    """Two clips of twelve frames, of which four are learned from; four guides each, one a side without guides."""
    weights = sum(p.numel() * 4 for p in first_network(quick(clips)).parameters())
    found = room(clips)
    assert (found.cache, found.material) == (0, 2 * 4 * PIXELS * 27)
    assert (found.state, found.result) == (12 * weights, weights)
    assert found.total == found.material + 13 * weights
    method = tables(clips)["method"] | {"align_every": 2}  # the round before is kept beside this one
    assert room(clips, method=method).material == 2 * found.material
    each = room(clips, per_clip=True)
    assert (each.material, each.result) == (4 * PIXELS * 27, 2 * weights + 2 * 12 * PIXELS)
    estrnn = {"backbone": "estrnn", "settings": {"features": 4, "blocks": 1}}
    assert room(clips, network=estrnn).material == 2 * PIXELS * 17 * min(12, max(4, 10))
    method = tables(clips)["method"] | {"teach": "truth"}
    assert room(clips, network=estrnn, method=method).material == 2 * PIXELS * 7 * min(12, max(4, 10))


def test_videos_are_laid_out(tmp_path):
    film(tmp_path / "a.mp4", views(12))
    (tmp_path / "b.mp4").write_bytes(b"no video")
    found = room(tmp_path)
    assert found.material == 4 * PIXELS * 27 and 12 * PIXELS / 2 < found.cache < 12 * PIXELS * 3


@pytest.mark.unchecked
def test_it_is_no_less_than_what_is_filled(clips, tmp_path):
    """At the end of the alignment, when all material lies there."""
    recipe = quick(clips)
    with pytest.raises(Stopped):
        train(recipe, tmp_path / "run", **stopping(1, "stage 1"))
    found = filled(tmp_path / "run" / "work")
    assert 0.8 * room(clips).material < found < room(clips).total


def test_too_little_room_is_refused_before_any_clip_is_read(clips, tmp_path, full, monkeypatch):
    monkeypatch.setattr("selfhvd.training.job.read_clips", None)
    full(room(clips).total - 1)
    said = r"^The training needs about 1\.3 MB in .*run \(0\.7 MB of aligned frames\), 1\.3 MB are free; make room,"
    with pytest.raises(OutputError, match=said):
        train(quick(clips), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_an_earlier_run_holds_is_not_counted_again(clips, tmp_path, full):
    found, recipe = open_dataset(clips).clips, typed(tables(clips))
    full(room(clips).total - 100)
    with pytest.raises(OutputError, match="make room"):
        check_room(found, recipe, first_network(recipe), tmp_path)
    (tmp_path / "material").write_bytes(bytes(100))
    check_room(found, recipe, first_network(recipe), tmp_path)


@pytest.mark.unchecked
def test_it_is_said_and_the_exit_code_is_that_of_a_full_disk(run, tmp_path, full, caplog):
    table = tables(pairs(tmp_path / "clips", ["a"]), 1)
    assert command(run, tmp_path, table).code == 0
    assert "room: the training takes about 0.9 MB on the disk (0.3 MB of aligned frames)" in caplog.text
    caplog.clear()
    full(10)
    refused = run("train", tmp_path / "given.toml", "--out", tmp_path / "other", "-q")
    assert refused.code == 4 and len(refused.err.splitlines()) == 1 and not caplog.text, refused.err
