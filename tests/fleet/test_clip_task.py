"""The clip task: from source to result, once, whole, and with nothing left; whatever happens is an outcome."""

import json
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from clips_for_tests import film, names, quick, views
from selfhvd.backbones.backbone import Needs
from selfhvd.fleet.area import folder_of, held, reserved
from selfhvd.fleet.clip_task import attempt, clear_clip
from selfhvd.fleet.order import FleetJob, Order
from selfhvd.forecast.pace import Pace
from selfhvd.run.options import RunOptions
from selfhvd.run.work_folder import WorkFolder

pytestmark = pytest.mark.unchecked
PACE = Pace(1e-9, 1e-9, Needs(guides=2), "dis", "cpu")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Four sharp frames: handed through, so that it takes no time."""
    return film(tmp_path_factory.mktemp("filmed") / "clip.mp4", views(4, 64, 48, lambda i: True))


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def job_for(output, **changes) -> FleetJob:
    job = FleetJob(str(output), quick(steps=0), RunOptions(), pace=PACE)
    return replace(job, **changes)


def order_for(clip, output, **changes) -> Order:
    return Order(7, str(clip), f"{output}/clip_deblurred.mp4", **changes)


RESULTS = ["clip_deblurred.mp4", "clip_deblurred.report.html", "clip_deblurred.run.json"]


def test_a_clip_is_done_once(clip, out):
    first = attempt(job_for(out), order_for(clip, out))
    assert (first.kind, first.frames) == ("done", 4) and first.node and first.seconds > 0
    assert attempt(job_for(out), order_for(clip, out)).kind == "there"
    assert names(out) == [".fleet", *RESULTS] and names(out / ".fleet") == []


def test_one_cut_off_between_its_result_and_its_record_gets_both(clip, out):
    attempt(job_for(out), order_for(clip, out))
    for name in RESULTS[1:]:
        (out / name).unlink()
    work = WorkFolder(out / RESULTS[0])
    work.path.mkdir()
    work.place(out / RESULTS[0])
    assert attempt(job_for(out), order_for(clip, out)).kind == "done"
    assert names(out) == [".fleet", *RESULTS]


def test_in_a_work_folder_of_its_own(clip, out, tmp_path):
    job = job_for(out, work=tmp_path / "scratch")
    assert attempt(job, order_for(clip, out)).kind == "done"
    assert names(out) == RESULTS and names(job.area) == []
    record = json.loads((out / RESULTS[2]).read_text())
    assert record["output"] == str(out / RESULTS[0]) and record["source"] == str(clip)
    assert attempt(job, order_for(clip, out)).kind == "there"
    blended = replace(job, options=RunOptions(strength=0.5))
    assert "was made with other settings" in attempt(blended, order_for(clip, out)).reason
    assert (
        attempt(replace(blended, options=RunOptions(strength=0.5, overwrite=True)), order_for(clip, out)).kind == "done"
    )


def test_from_address_to_address(clip, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    store = fsspec.filesystem("memory")
    store.pipe_file("/films/clip.mp4", clip.read_bytes())
    job, order = job_for("memory://films/out"), order_for("memory://films/clip.mp4", "memory://films/out")
    done = attempt(job, order)
    assert (done.kind, done.reason) == ("done", "")
    assert sorted(store.ls("/films/out", detail=False)) == [f"/films/out/{name}" for name in RESULTS]
    assert store.cat_file(f"/films/out/{RESULTS[0]}") == clip.read_bytes()
    assert attempt(job, order).kind == "there"
    assert json.loads(store.cat_file(f"/films/out/{RESULTS[2]}"))["source"] == "memory://films/clip.mp4"
    assert names(tmp_path / f"selfhvd-fleet-{job.name}") == []
    store.pipe_file(f"/films/out/{RESULTS[0]}", b"an older result, whose new record came before it")
    assert attempt(job, order).kind == "done" and attempt(job, order).kind == "there"
    store.rm_file(f"/films/out/{RESULTS[2]}")
    assert "exists; choose another output" in attempt(job, order).reason


def test_what_could_not_be_handed_over_is_not_restored_again(clip, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    store = fsspec.filesystem("memory")
    store.pipe_file("/busy/clip.mp4", clip.read_bytes())
    job, order = job_for("memory://busy/out"), order_for("memory://busy/clip.mp4", "memory://busy/out")

    def slow_down(self, here, there, **named):
        if there.endswith(".mp4"):
            raise OSError("503 Slow Down")
        store.pipe_file(there, Path(here).read_bytes())

    monkeypatch.setattr(type(store), "put_file", slow_down)
    kept = attempt(job, order)
    assert kept.kind == "kept" and "503 Slow Down" in kept.reason
    monkeypatch.undo()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("selfhvd.fleet.clip_task.deblur", None)
    done = attempt(job, order)
    assert (done.kind, done.frames, done.reason) == ("done", 4, "")
    assert sorted(store.ls("/busy/out", detail=False)) == [f"/busy/out/{name}" for name in RESULTS]
    assert names(tmp_path / f"selfhvd-fleet-{job.name}") == []


def test_what_is_no_video_says_so(out, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    failed = attempt(job_for(out), order_for(tmp_path / "text.mp4", out))
    assert failed.kind == "failed" and "text.mp4" in failed.reason
    assert attempt(job_for(out), order_for(tmp_path / "gone.mp4", out)).kind == "failed"
    assert names(out) == [".fleet"]


def test_it_asks_for_what_it_needs_but_once(clip, out):
    small = job_for(out, grant=1000)
    asked = attempt(small, order_for(clip, out))
    assert asked.kind == "needs" and asked.memory > 1000 and not asked.wide
    assert attempt(small, order_for(clip, out, memory=asked.memory)).kind == "done"
    long = attempt(job_for(out, spread_from=0.001), order_for(clip, f"{out}/other"))
    assert long.kind == "needs" and long.wide


def test_somebody_else_at_it_is_no_failure(clip, out, monkeypatch):
    monkeypatch.setattr("selfhvd.fleet.area._PATIENCE", 0.1)
    job = job_for(out)
    with held(job.area, 7):
        assert attempt(job, order_for(clip, out)).kind == "later"
    assert attempt(job, order_for(clip, out)).kind == "done"


def test_the_quota_counts_those_at_work_and_clears_after_those_that_were_killed(clip, out, monkeypatch):
    monkeypatch.setattr("selfhvd.fleet.area._PATIENCE", 0.1)
    job = job_for(out, quota=1_000_000)
    with held(job.area, 8), reserved(job.area, 8, 999_999, job.quota):
        assert attempt(job, order_for(clip, out)).kind == "later"
    (job.area / "00000009.room").write_text("999999")
    folder_of(job.area, 9).mkdir()
    with held(job.area, 8), reserved(job.area, 8, 1, job.quota):
        assert folder_of(job.area, 9).exists()  # there is room: it is gone on with when its turn comes
    assert attempt(job, order_for(clip, out)).kind == "done"
    assert not folder_of(job.area, 9).exists()
    told = attempt(replace(job, quota=10), order_for(clip, f"{out}/other"))
    assert told.kind == "failed" and "--work-quota is 0.0 MB" in told.reason


def test_what_a_clip_that_was_set_aside_left_goes(clip, out):
    job = job_for(out)
    work = Path(out) / ".clip_deblurred.mp4.selfhvd"
    (work / "footage").mkdir(parents=True)
    (folder_of(job.area, 7) / "source").mkdir(parents=True)
    clear_clip(job, order_for(clip, out))
    assert names(out) == [".fleet"] and names(job.area) == []
