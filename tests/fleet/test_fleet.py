"""`selfhvd fleet` on a real Ray of this machine, and without one."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import av
import psutil
import pytest
from fleet_stores import s3_store

from clips_for_tests import film, names, views
from selfhvd.fleet.ledger import open_ledger
from selfhvd.fleet.order import FleetJob, Order
from selfhvd.run.config import DeblurConfig
from selfhvd.run.options import RunOptions

pytestmark = pytest.mark.subprocess
COMMAND = [sys.executable, "-m", "selfhvd"]


def fleet(*words, **named) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, "fleet", *map(str, words)], capture_output=True, text=True, timeout=300, **named)


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for n in range(2):
        film(folder / f"{n}.mp4", views(4, 64, 48, lambda i: True))
    (folder / "text.mp4").write_text("no video")
    return folder


def of_ray() -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["cmdline"]) if "selfhvd-ray-" in str(process.info["cmdline"])]


@pytest.mark.slow
def test_a_fleet_on_this_machine_killed_and_gone_on_with(clips, tmp_path):
    out = tmp_path / "out"
    words = [str(clips), "-o", str(out), "--workers", "2", "--json"]
    killed = subprocess.Popen([*COMMAND, "fleet", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(out.glob("*.run.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    made = {path: path.stat().st_mtime_ns for path in out.glob("*_deblurred.mp4")}

    done = fleet(*words)
    assert done.returncode == 7, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["clips"], facts["done"], facts["aside"], facts["left"]) == (3, 2, 1, 0)
    assert "text.mp4" in facts["failures"][0]["source"] and facts["failures"][0]["reason"]
    results = [f"{n}_deblurred{ending}" for n in range(2) for ending in (".mp4", ".report.html", ".run.json")]
    assert names(out) == [*results, "fleet.sqlite"]
    assert made and all(path.stat().st_mtime_ns == when for path, when in made.items())

    began = time.monotonic()
    assert fleet(*words).returncode == 7 and time.monotonic() - began < 10  # there is nothing to start Ray for
    told = fleet("status", out)
    assert told.returncode == 0 and "2 of 3 clips done, 1 set aside" in told.stdout
    assert not psutil.wait_procs(of_ray(), timeout=10)[1]
    assert "other settings (strength)" in fleet(*words, "--strength", "0.5").stderr


def without_ray(tmp_path) -> dict[str, str]:
    (tmp_path / "blind").mkdir()
    (tmp_path / "blind" / "sitecustomize.py").write_text("import sys\nsys.modules['ray'] = None\n")
    path = os.pathsep.join([str(tmp_path / "blind"), *sys.path])
    return {**os.environ, "PYTHONPATH": path}


def test_without_ray_one_sentence_says_how_to_get_it(clips, tmp_path):
    done = fleet(clips, "-o", tmp_path / "out", env=without_ray(tmp_path))
    assert done.returncode == 2 and not (tmp_path / "out").exists()
    assert done.stderr == "selfhvd: A fleet needs Ray; install it with: pip install '.[cluster]'\n"


def test_nothing_else_imports_ray():
    everything = (
        "selfhvd.cli.app, selfhvd.cli.clip_runs, selfhvd.fleet.clip_task, selfhvd.fleet.driver, selfhvd.fleet.ledger"
    )
    code = f"import sys, {everything}; print({{'ray', 'fsspec', 's3fs'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "ray" not in done.stdout
    importing = [path.name for path in (Path(__file__).parents[2] / "src").rglob("*.py") if _imports_ray(path)]
    assert importing == ["ray_executor.py"]


def _imports_ray(path: Path) -> bool:
    lines = [line.strip() for line in path.read_text().splitlines()]
    return any(line.startswith(("import ray", "from ray")) for line in lines)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--cpus", "0"], "--cpus must be at least 1, not 0"),
        (["--time-limit", "0"], "--time-limit must be above 0, not 0"),
        (["--gpus", "-1"], "--gpus must be at least 0, not -1"),
        (["--strength", "2"], "strength"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_work(run, clips, tmp_path, words, told):
    done = run("fleet", str(clips), "-o", str(tmp_path / "out"), *words)
    assert done.code == 2 and told in done.err and not (tmp_path / "out").exists()


def test_a_driver_clears_after_those_that_were_killed_and_not_after_one_at_work(tmp_path, monkeypatch):
    executor = pytest.importorskip("selfhvd.fleet.ray_executor")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(executor, "_LONGEST", 999)
    gone = subprocess.Popen(["true"])
    gone.wait()
    folders = [f"selfhvd-ray-{rest}" for rest in (f"abc-{gone.pid}", f"abc-{os.getppid()}", f"abd-{gone.pid}")]
    for name in folders:
        (tmp_path / name).mkdir()
    executor._clear_sessions("abc")
    assert names(tmp_path) == sorted(folders[1:])


def test_only_nodes_with_cores_count_and_a_clip_is_spread_where_a_piece_has_room_beside_it():
    executor = pytest.importorskip("selfhvd.fleet.ray_executor").RayExecutor
    site = object.__new__(executor)
    job = FleetJob("/out", DeblurConfig(), RunOptions(), cpus=2, spread_from=60.0)
    site._job, site._gpus, site._at_work = job, 0.0, {}
    site._look = lambda: [{"CPU": 0.0, "memory": 64e9}, {"CPU": 4.0, "memory": 8e9}, {"CPU": 1.0, "memory": 16e9}]
    assert site.largest() == 8e9
    assert site._can_spread(8_000_000_000) and not site._can_spread(9_000_000_000)
    site._at_work = {n: Order(n, "s", "r", wide=True) for n in range(2)}
    assert not site._can_spread(8_000_000_000)
    site._gpus = 1.0
    assert site.largest() == 0


def test_nobody_at_the_address_is_one_sentence(run, clips, tmp_path):
    done = run("fleet", str(clips), "-o", str(tmp_path / "out"), "--address", "127.0.0.1:9")
    assert done.code == 5 and "Ray cannot be used at 127.0.0.1:9" in done.err


def test_shards_do_every_clip_once(run, clips, tmp_path):
    (clips / "text.mp4").unlink()
    for number in range(3):
        done = run(str(clips), "-o", str(tmp_path / "out"), "--shard", f"{number}/3", "--workers", "1")
        assert done.code == 0
    assert len(list((tmp_path / "out").glob("*.mp4"))) == 2 and "Shard 2/3 holds no clip" in done.err
    assert "for several clips" in run(str(clips / "0.mp4"), "--shard", "0/4").err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_from_one_store_to_another_spread_over_workers_with_the_frames_of_the_command_alone(tmp_path, monkeypatch):
    clip = film(tmp_path / "clip.mp4", views(12, width=96, height=72))
    subprocess.run([*COMMAND, str(clip), "-o", str(tmp_path / "alone.mp4"), "--no-report", "--quiet"], check=True)
    with s3_store(monkeypatch) as store:
        store.put_file(str(clip), "films/in/clip.mp4")
        places = ["--state", tmp_path / "state", "--work", tmp_path / "work"]
        shared = ["--workers", "2", "--spread-from", "0", "--json"]
        done = fleet("s3://films/in", "-o", "s3://films/out", *places, *shared)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["done"] == 1
        results = [f"clip_deblurred{ending}" for ending in (".mp4", ".report.html", ".run.json")]
        assert [path.rpartition("/")[2] for path in store.ls("films/out")] == results
        assert not store.call_s3("list_multipart_uploads", Bucket="films").get("Uploads")
        store.get_file("films/out/clip_deblurred.mp4", str(tmp_path / "made.mp4"))
    with closing(open_ledger(tmp_path / "state" / "fleet.sqlite")) as ledger:
        assert ledger._base.execute("select wide, state from clips").fetchall() == [(1, "done")]
    assert rgb(tmp_path / "made.mp4") == rgb(tmp_path / "alone.mp4")
    assert names(tmp_path / "work") == [] and names(tmp_path / "state") == ["fleet.sqlite"]


def rgb(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").tobytes() for frame in container.decode(video=0)]
