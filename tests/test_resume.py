"""A run that was cut off goes on: the same frames, nothing left, and a changed job is refused."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

import selfhvd
from clips_for_tests import film, names, quick, views
from selfhvd.errors import OutputError, Stopped
from selfhvd.run.restored_frames import restored_frames
from selfhvd.system.lock import locked
from selfhvd.video import ingest

pytestmark = pytest.mark.unchecked

WORK = ".out.mp4.selfhvd"


def bold(**changes):
    """A quick configuration that learns, at a rate that shows, and keeps what it learned."""
    config = quick("balanced", steps=2, **changes)
    loud = {name: replace(getattr(config.adapt, name), rate=1e-2) for name in ("stage_one", "stage_two")}
    return replace(config, adapt=replace(config.adapt, judge=False, **loud))


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """One file for all: x264 does not code twice alike."""
    return film(tmp_path_factory.mktemp("filmed") / "clip.mp4", views())


@pytest.fixture
def source(tmp_path, filmed):
    return Path(shutil.copy(filmed, tmp_path / "clip.mp4"))


@pytest.fixture(scope="module")
def right(filmed):
    """The frames of a run that nothing stops, and how long it took."""
    started = time.monotonic()
    return deblurred(filmed), time.monotonic() - started


def deblurred(source, **options) -> list[bytes]:
    """The frames handed to the encoder."""
    seen: list[bytes] = []
    options = {"config": bold(), "report": False} | options
    selfhvd.deblur(
        source, source.with_name("out.mp4"), on_frame=lambda index, frame: seen.append(frame.tobytes()), **options
    )
    assert len(seen) == 12
    return seen


class Power(Exception):
    """It went out."""


def cut_off(source, stage, at=0, told=lambda *step: None, **options):
    """A run that ends without a word when it has come so far."""

    def progress(now, done, total):
        told(now, done, total)
        if now == stage and done >= at:
            raise Power

    with pytest.raises(Power):
        deblurred(source, on_progress=progress, **options)
    assert WORK in names(source.parent) and "out.mp4" not in names(source.parent)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, filmed):
    """By stage: folders with the clip and the work of a run cut off there."""
    folders = {}
    for stage, at in (("stage 2", 1), ("restore", 7)):
        folders[stage] = tmp_path_factory.mktemp("stopped")
        cut_off(Path(shutil.copy(filmed, folders[stage] / "clip.mp4")), stage, at)
    return folders


def cut_off_at(stage, stopped, folder) -> Path:
    """The clip beside a copy of such work."""
    shutil.copytree(stopped[stage], folder, dirs_exist_ok=True)
    return folder / "clip.mp4"


@pytest.mark.slow
def test_cut_off_anywhere_and_again_where_it_went_on(source, right):
    """One run in eight parts; none does again what the others had done."""
    ends = [("scenes", 3), ("align", 2), ("stage 1", 2), ("align again", 1), ("stage 2", 1), ("restore", 7)]
    stages = [set() for _ in range(8)]
    for (stage, at), seen in zip([*ends, ("verify", 0)], stages[:7], strict=True):
        cut_off(source, stage, at, told=lambda now, done, total, seen=seen: seen.add(now))
    assert deblurred(source, on_progress=lambda now, done, total: stages[7].add(now)) == right[0]
    assert "read" in stages[0] and "read" not in set().union(*stages[1:])
    assert "scenes" not in set().union(*stages[2:]) and "stage 1" not in set().union(*stages[4:])
    assert stages[6] | stages[7] <= {"restore", "verify"}
    assert names(source.parent) == ["clip.mp4", "out.mp4"]


def _run(source):
    deblurred(source)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are forks of this process")
def test_killed_at_any_moment(source, right):
    draw = random.Random(0)
    for _ in range(3):
        process = multiprocessing.get_context("fork").Process(target=_run, args=(source,))
        process.start()
        process.join(draw.uniform(0.1, 1.0) * right[1])
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        if process.exitcode == 0:
            (source.with_name("out.mp4")).unlink()
        if (source.parent / "out.mp4").exists() and WORK not in names(source.parent):
            return  # it was clearing away
    assert deblurred(source) == right[0]
    assert names(source.parent) == ["clip.mp4", "out.mp4"]


def test_killed_between_the_rename_and_the_report(source, right, monkeypatch):
    def gone(*given):
        raise Power

    monkeypatch.setattr("selfhvd.run.job.write_report", gone)
    with pytest.raises(Power):
        deblurred(source, report=True)
    assert names(source.parent) == [WORK, "clip.mp4", "out.mp4"]
    monkeypatch.undo()
    assert deblurred(source, report=True) == right[0]
    assert names(source.parent) == ["clip.mp4", "out.mp4", "out.report.html", "out.run.json"]
    with pytest.raises(OutputError, match=r"out\.mp4 exists"):
        deblurred(source)


@pytest.mark.slow
@pytest.mark.parametrize(
    "place", ["footage/frames/00000003.frame", "restored/00000003.frame", "job.json", "scenes.json"]
)
def test_a_damaged_file_is_made_again_and_that_is_said(stopped, tmp_path, right, caplog, place):
    source = cut_off_at("restore", stopped, tmp_path)
    path = source.parent / WORK / place
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data if place.endswith("frame") else data[: len(data) // 2])
    assert deblurred(source) == right[0]
    assert "damaged" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        (["state.ckpt"], "goes on from the state kept before it"),
        (["state.ckpt", "state.ckpt.older"], "the learning begins anew"),
    ],
)
def test_a_damaged_state_of_learning(stopped, tmp_path, right, caplog, damaged, said):
    source = cut_off_at("stage 2", stopped, tmp_path)
    for name in damaged:
        path = source.parent / WORK / "adapt" / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    assert deblurred(source) == right[0]
    assert said in caplog.text


@pytest.mark.slow
def test_what_changed_is_named_and_restart_begins_anew(stopped, tmp_path, right):
    source = cut_off_at("restore", stopped, tmp_path)
    with pytest.raises(OutputError, match=r"seed \(was 0, is 1\); put it back to go on, or begin anew with --restart"):
        deblurred(source, config=bold(seed=1))
    with pytest.raises(OutputError, match=r"adapt_first \(was true, is false\)") as refused:
        deblurred(source, config=replace(bold(), adapt_first=False))
    assert refused.value.exit_code == 4
    with pytest.raises(OutputError, match=r"segment"):
        deblurred(source, config=replace(bold(), sharp=replace(bold().sharp, segment=9)))
    os.utime(source, ns=(1, 1))
    with pytest.raises(OutputError, match="this changed: the input's time of change"):
        deblurred(source)
    assert names(source.parent) == [WORK, "clip.mp4"]
    stages = set()
    assert deblurred(source, restart=True, on_progress=lambda now, done, total: stages.add(now)) == right[0]
    assert {"read", "select", "stage 1"} <= stages


def test_a_second_process_stops(source):
    work = source.parent / WORK
    work.mkdir()
    (work / "holder").write_text("process 7 on somewhere")
    with (
        locked(work / "lock", OutputError("")),
        pytest.raises(OutputError, match="is being made by process 7 on somewhere; wait for it"),
    ):
        deblurred(source)
    assert names(work) == ["holder", "lock"]


FULL = (
    "selfhvd.training.precompute.AlignedStore.finish",
    "selfhvd.training.checkpoint.torch.save",
    "selfhvd.run.tasks.write_frame",
)


@pytest.mark.slow
def test_a_full_disk_again_and_again(source, right, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    def full_frame(path, image):
        raise OutputError(f"{path} cannot be written (No space left on device); make room and try again.")

    for site in FULL:
        monkeypatch.setattr(site, full_frame if site.endswith("frame") else full)
        with pytest.raises(OutputError, match=rf"No space left on device.*what was done so far is kept in .*{WORK}"):
            deblurred(source)
        assert names(source.parent) == [WORK, "clip.mp4"]
        monkeypatch.undo()
    assert deblurred(source) == right[0]


@pytest.mark.slow
def test_asked_to_stop(source, right):
    for stage in ("read", "align", "stage 1", "stage 2", "restore"):
        asked = []

        def progress(now, done, total, stage=stage, asked=asked):
            if now == stage:
                asked.append(1)

        with pytest.raises(Stopped) as stopped:
            deblurred(source, on_progress=progress, stop=lambda asked=asked: bool(asked))
        assert "the same command goes on" in str(stopped.value) or stage == "read"
    assert deblurred(source) == right[0]


def test_what_killed_runs_left_is_cleared_away(source):
    dead, alive = 2**22 + 5, os.getppid()
    for pid in (dead, alive):
        (source.parent / f".out.mp4.{pid}.part").write_bytes(b"half")
        (source.parent / f".out.report.html.{pid}.part").write_bytes(b"half")
    (source.parent / f".other.mp4.{dead}.part").write_bytes(b"half")
    deblurred(source, config=quick(steps=0))
    left = {name for name in names(source.parent) if name.startswith(".")}
    assert left == {f".out.mp4.{alive}.part", f".out.report.html.{alive}.part", f".other.mp4.{dead}.part"}


def test_nothing_worth_keeping_is_kept(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(4000))
    with pytest.raises(selfhvd.errors.InputError):
        deblurred(tmp_path / "clip.mp4")
    assert names(tmp_path) == ["clip.mp4"]


@pytest.mark.slow
def test_the_same_clip_from_another_folder(stopped, tmp_path, right, monkeypatch):
    source = cut_off_at("restore", stopped, tmp_path)
    monkeypatch.chdir(source.parent)
    seen = []
    selfhvd.deblur("clip.mp4", "out.mp4", config=bold(), report=False, on_frame=lambda i, f: seen.append(f.tobytes()))
    assert seen == right[0]


@pytest.mark.slow
def test_the_job_can_be_read(stopped):
    job = json.loads((stopped["restore"] / WORK / "job.json").read_text())
    assert job["seed"] == "0" and job["the device"] == "cpu" and len(job["the network's weights"]) == 64


@pytest.mark.slow
def test_frames_of_another_version_are_read_again_and_that_is_said(stopped, tmp_path, right, caplog):
    source = cut_off_at("restore", stopped, tmp_path)
    record = source.parent / WORK / "footage" / "footage.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"version": 1}))
    assert deblurred(source) == right[0]
    assert "was laid out by another version: the clip is read again" in caplog.text


@pytest.mark.slow
def test_frames_that_come_back_as_they_came_are_stored_once(source):
    class Halves:
        """Restores every other frame."""

        def restore_on_device(self, first):
            for index in range(first, len(footage)):
                yield footage.tensor(index) if index % 2 else 1 - footage.tensor(index)

    footage = ingest(source, source.parent / "footage")
    folder = source.parent / "restored"
    frames = list(restored_frames(Halves(), footage, source.parent, folder))
    same = [(folder / f"{index:08d}.frame").samefile(footage.path(index)) for index in range(12)]
    assert same == [False, True] * 6
    again = restored_frames(Halves(), footage, source.parent, folder)
    assert [frame.tobytes() for frame in again] == [frame.tobytes() for frame in frames]
