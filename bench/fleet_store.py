"""A fleet from one place of an S3 store to another, its driver killed once: what lies there, and how it was asked.

    python bench/fleet_store.py [CLIPS]

The store is moto, on the loopback. Clips are of 12 frames of 96x72. Prints how many requests of which kind there were.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "tests" / part) for part in (".", "fleet")]


class Asked(logging.Handler):
    """Counts the store's requests."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        told = record.getMessage().partition('"')[2]
        verb = told.removeprefix("\x1b[35m\x1b[1m").removeprefix("\x1b[33m").split()[0]
        kind = "list uploads" if "uploads" in told else "list" if "list-type" in told else verb
        self.kinds[kind] += 1


def main() -> None:
    from fleet_stores import s3_store

    from clips_for_tests import film, views

    count = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    asked = Asked()
    log = logging.getLogger("werkzeug")
    with pytest.MonkeyPatch.context() as patched, s3_store(patched) as store, tempfile.TemporaryDirectory() as home:
        for n in range(count):
            clip = film(Path(home) / f"{n}.mp4", views(12, 96, 72, lambda i, n=n: (i + n) % 4 == 0))
            store.put_file(str(clip), f"films/in/{n}.mp4")
            clip.unlink()
        log.handlers = [asked]
        log.setLevel(logging.INFO)
        log.propagate = False
        words = [
            "fleet",
            "s3://films/in",
            "-o",
            "s3://films/out",
            "--state",
            f"{home}/state",
            "--workers",
            "2",
            "--json",
        ]
        command, env = [sys.executable, "-m", "selfhvd", *words], {**os.environ, "TMPDIR": home}
        killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        while not store.glob("films/out/*.run.json") and killed.poll() is None:
            time.sleep(0.5)
        killed.kill()
        killed.wait()
        asked.kinds.clear()
        before = len(store.glob("films/out/*.run.json"))
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        made = json.loads(done.stdout)["done"] if done.stdout else done.stderr
        print(f"exit {done.returncode}: {made} of {count} done, {before} of them before the kill")
        print(f"asked for {count - before} clips: {dict(asked.kinds)}")
        names = sorted(path.rpartition("/")[2] for path in store.ls("films/out"))
        expected = sorted(f"{n}_deblurred{end}" for n in range(count) for end in (".mp4", ".report.html", ".run.json"))
        uploads = store.call_s3("list_multipart_uploads", Bucket="films").get("Uploads") or []
        print(f"all there, nothing else: {names == expected}; unfinished uploads: {len(uploads)}")
        print(f"left on this machine: {os.listdir(home)}")


if __name__ == "__main__":
    main()
