"""Kill a fleet's workers, a node and its driver at work: is every clip done once, with the frames of one machine?

    python bench/fleet_kills.py [CLIPS] [SECONDS BETWEEN KILLS] [FOLDER]

Three nodes of one CPU each on this machine (`ray.cluster_utils`). Short clips (96x72, 12 frames) are restored by the
command alone, one after the other, and by a fleet of which a worker is killed every 20 seconds, the driver twice, and
a node is lost. Then the frames of each result are compared, and what lies about. FOLDER keeps the clips, and what the
command alone made of them, for the next time.
"""

import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # else Ray listens where others reach it
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
LOOPBACK = "127.0.0.1"
COMMAND = [sys.executable, "-m", "selfhvd"]


def film_all(folder: Path, count: int) -> None:
    from clips_for_tests import film, views

    folder.mkdir()
    for number in range(count):
        film(folder / f"clip{number:03d}.mp4", views(12, 96, 72, lambda i, n=number: (i + n) % (3 + n % 3) == 0))


def frames_of(path: Path) -> str:
    """A digest of a video's decoded frames."""
    import av

    digest = hashlib.sha256()
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            digest.update(frame.to_ndarray(format="rgb24").tobytes())
    return digest.hexdigest()


def cluster(folder: Path):
    """A head that does nothing, and three nodes of one CPU."""
    import ray
    from ray.cluster_utils import Cluster

    Path("/tmp/ray").mkdir(exist_ok=True)  # cluster_utils notes its address there, wherever the rest is
    store = 80 * 2**20
    head = {"num_cpus": 0, "object_store_memory": store, "node_ip_address": LOOPBACK, "temp_dir": str(folder)}
    made = Cluster(initialize_head=True, head_node_args={**head, "include_dashboard": False})
    nodes = [made.add_node(num_cpus=1, object_store_memory=store, node_ip_address=LOOPBACK) for _ in range(3)]
    assert not ray.is_initialized()
    return made, nodes, f"{LOOPBACK}:{made.address.rpartition(':')[2]}"


def start(clips: Path, out: Path, address: str) -> subprocess.Popen:
    log = out.with_suffix(".log").open("a")
    words = ["fleet", str(clips), "-o", str(out), "--address", address, "--progress", "json"]
    return subprocess.Popen([*COMMAND, *words], stderr=log, stdout=log)


def busy_workers() -> list[psutil.Process]:
    """Processes that restore a clip now."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if "ray::_attempt" in " ".join(process.info["cmdline"] or []):
            found.append(process)
    return found


def done(out: Path) -> int:
    try:
        with sqlite3.connect(f"file:{out}/fleet.sqlite?mode=ro", uri=True, timeout=30) as base:
            return base.execute("select count(*) from clips where state = 'done'").fetchone()[0]
    except sqlite3.Error:
        return 0


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    every = float(sys.argv[2]) if len(sys.argv) > 2 else 20.0
    home, draw = Path(tempfile.mkdtemp(prefix="fk-")), random.Random(0)
    kept = Path(sys.argv[3]) if len(sys.argv) > 3 else home
    clips, alone, out = kept / "clips", kept / "alone", home / "out"
    if not clips.exists():
        film_all(clips, count)
    began = time.monotonic()
    words = ["deblur", str(clips), "-o", str(alone), "--workers", "1", "--quiet", "--skip-existing"]
    subprocess.run([*COMMAND, *words], check=True, stdout=subprocess.DEVNULL)
    print(f"alone: {time.monotonic() - began:.0f} s", flush=True)
    made, nodes, address = cluster(home / "ray")
    try:
        began = time.monotonic()
        driver = start(clips, out, address)
        next_kill, killed, drivers, lost = began + every, 0, 0, 0
        while driver.poll() is None:
            time.sleep(0.3)
            if time.monotonic() >= next_kill and (there := busy_workers()):
                draw.choice(there).kill()
                killed, next_kill = killed + 1, time.monotonic() + every
            if drivers < 2 and done(out) >= (drivers + 1) * count // 4:
                driver.kill()
                driver.wait()
                drivers += 1
                driver = start(clips, out, address)
            if not lost and done(out) >= count * 5 // 8:
                made.remove_node(nodes[0], allow_graceful=False)
                lost = 1
        took = time.monotonic() - began
        print(
            f"fleet: {took:.0f} s; killed {killed} workers, {drivers} drivers; lost {lost} node; exit {driver.poll()}"
        )
    finally:
        made.shutdown()
        shutil.rmtree("/tmp/ray", ignore_errors=True)
    same = [frames_of(path) == frames_of(out / path.name) for path in sorted(alone.glob("*.mp4"))]
    bytes_too = [path.read_bytes() == (out / path.name).read_bytes() for path in sorted(alone.glob("*.mp4"))]
    with sqlite3.connect(out / "fleet.sqlite") as base:
        states = base.execute(
            "select state, count(*), total(losses), total(failures) from clips group by state"
        ).fetchall()
    expected = {path.name for path in alone.iterdir()} | {"fleet.sqlite"}
    left = sorted({path.name for path in out.iterdir()} ^ expected)
    print(f"states (clips, losses, failures): {states}")
    print(f"same frames: {sum(same)} of {len(same)}; same bytes: {sum(bytes_too)}; too much or missing: {left}")
    lines = (home / "out.log").read_text().splitlines()
    print(*[line for line in lines if '"message"' in line or "selfhvd:" in line][-12:], sep="\n")
    bad = driver.returncode or not all(same) or len(same) != count or left
    shutil.rmtree(home, ignore_errors=True) if not bad else print(f"kept: {home}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
