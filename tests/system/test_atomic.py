"""Files and folders that are there whole or not at all."""

import os

import pytest

from selfhvd.errors import OutputError
from selfhvd.system.atomic import replacing, write_aside


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("owned", [True, False])
@pytest.mark.parametrize("fsync", [True, False])
def test_a_file_takes_the_place_of_another(tmp_path, owned, fsync):
    (tmp_path / "a").write_text("old")
    with replacing(tmp_path / "a", owned=owned, fsync=fsync) as part:
        part.write_text("new")
        assert part.name == (".a.part" if owned else f".a.{os.getpid()}.part")
        assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "new"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_fails_leaves_the_old_and_nothing_else(tmp_path, kind):
    (tmp_path / "a").write_text("old")
    with pytest.raises(ValueError, match="mine"), replacing(tmp_path / "a") as part:
        part.write_text("half") if kind == "file" else (part / "inner").mkdir(parents=True)
        raise ValueError("mine")
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"


def test_a_folder_takes_the_place_of_a_folder(tmp_path):
    (tmp_path / "a" / "old").mkdir(parents=True)
    with replacing(tmp_path / "a") as part:
        (part / "new").mkdir(parents=True)
    assert names(tmp_path) == ["a"] and names(tmp_path / "a") == ["new"]


def test_the_old_folder_comes_back_where_the_new_one_cannot_come(tmp_path, monkeypatch):
    (tmp_path / "a" / "old").mkdir(parents=True)

    def replace(part, path):
        if str(part).endswith(".part"):
            raise OSError("no")
        os.rename(part, path)

    with pytest.raises(OSError, match="no"), replacing(tmp_path / "a") as part:
        part.mkdir()
        monkeypatch.setattr("selfhvd.system.atomic.os.replace", replace)
    assert names(tmp_path) == ["a"] and names(tmp_path / "a") == ["old"]


def test_a_file_never_takes_the_place_of_a_folder(tmp_path):
    (tmp_path / "a" / "old").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"a cannot be written \(Is a directory\); choose another place"):
        write_aside(tmp_path / "a", b"new")
    assert names(tmp_path) == ["a"] and names(tmp_path / "a") == ["old"]


def test_what_a_killed_run_left_is_written_over(tmp_path):
    (tmp_path / ".a.part" / "inner").mkdir(parents=True)
    with replacing(tmp_path / "a", owned=True) as part:
        part.write_text("new")
    assert names(tmp_path) == ["a"]
