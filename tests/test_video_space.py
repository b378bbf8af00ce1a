"""A disk that fills up, at several moments: exit code 4, one sentence, the old result untouched."""

import os
import subprocess
from pathlib import Path

import pytest

from selfhvd.backbones.lite import Lite
from selfhvd.errors import OutputError
from selfhvd.method.scscm import ProbeScores
from selfhvd.run.stage_cache import StageCache
from selfhvd.training.config import Adaptation
from selfhvd.video import ingest, open_writer
from test_video import make_clip

PAGE = 4096


@pytest.fixture
def disk(tmp_path):
    """A disk of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk needs the right to mount one")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path, leaving: int) -> Path:
    """Leave so many pages free."""
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler.write_bytes(bytes(free - leaving * PAGE))
    return filler


def pages(path: Path) -> int:
    return -(-path.stat().st_size // PAGE)


@pytest.mark.parametrize("moment", ["first frame", "record"])
def test_cache(tmp_path, disk, moment):
    source = make_clip(tmp_path / "in.mp4", times=(0, 3000, 6000))
    elsewhere = ingest(source, tmp_path / "cache")
    room = sum(pages(elsewhere.path(index)) for index in range(3)) if moment == "record" else 1
    filler = fill(disk, room)
    with pytest.raises(OutputError, match="No space left") as caught:
        ingest(source, disk / "cache")
    assert caught.value.exit_code == 4 and "\n" not in str(caught.value)
    assert not (disk / "cache" / "footage.json").exists()
    filler.unlink()
    assert ingest(source, disk / "cache").count == 3


@pytest.mark.parametrize("moment", ["start", "middle", "end", "images"])
def test_result(tmp_path, disk, moment):
    source = make_clip(tmp_path / "in.mp4", sound=True)
    footage = ingest(source, tmp_path / "cache")

    def write(target: Path) -> None:
        with open_writer(footage, target, overwrite=True) as writer:
            for index in range(len(footage)):
                writer.write(footage.frame(index))

    write(tmp_path / "elsewhere.mp4")
    whole = pages(tmp_path / "elsewhere.mp4")
    target = disk / ("out" if moment == "images" else "out.mp4")
    if moment != "images":
        target.write_bytes(b"old")
    filler = fill(disk, {"start": 0, "middle": whole // 2, "end": whole - 1, "images": 2}[moment])
    with pytest.raises(OutputError, match=r"No space left|cannot be written") as caught:
        write(target)
    assert caught.value.exit_code == 4 and "\n" not in str(caught.value)
    assert sorted(path.name for path in disk.iterdir()) == ["filler"] + (["out.mp4"] if moment != "images" else [])
    assert moment == "images" or target.read_bytes() == b"old"
    filler.unlink()
    write(target)
    assert target.is_dir() if moment == "images" else target.stat().st_size > 1000


def test_what_was_learned(disk):
    standing = ProbeScores(0.0, 0.0, 0.0, 0.0)
    adaptation = Adaptation(1, 1.0, standing, standing, 0, kept=True)
    with pytest.raises(OutputError, match=r"adapted\.ckpt cannot be written \(No space left on device\); make room"):
        StageCache(disk).keep_adaptation(adaptation, Lite())
    assert list(disk.iterdir()) == []
