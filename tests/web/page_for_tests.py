"""A real server in a process of its own, with a stand-in for the long work where a test does not need it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

import selfhvd

STUB = Path(__file__).parent / "stub"
HOME = Path(selfhvd.__file__).parents[1]
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Site:
    """One `selfhvd serve`; killed and started again it is the same site."""

    def __init__(self, folder: Path, *words, real: bool = False, seconds: float = 0.02) -> None:
        self.folder, self.words, self.log = folder, words, folder.with_suffix(".log")
        paths = [str(HOME)] if real else [str(STUB), str(HOME)]
        self.finished = folder.with_suffix(".finished")
        self.env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "STAND_IN_SECONDS": str(seconds),
                    "STAND_IN_LOG": str(self.finished), "OMP_NUM_THREADS": "1"}  # fmt: skip
        self.port = 0
        self.process: subprocess.Popen | None = None

    def start(self) -> "Site":
        words = ["serve", "--folder", str(self.folder), "--port", str(self.port), *map(str, self.words)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-P", "-m", "selfhvd", *words],
                                            stdout=subprocess.PIPE, stderr=log, env=self.env)  # fmt: skip
        line = self.process.stdout.readline().decode().strip()
        assert line.startswith("http"), self.log.read_text()
        self.port = int(line.rstrip("/").rpartition(":")[2])
        self.address = f"http://127.0.0.1:{self.port}"
        return self

    def kill(self, how=signal.SIGKILL) -> None:
        self.process.send_signal(how)
        self.process.wait()
        self.process.stdout.close()

    def end(self) -> None:
        """The server, and every runner of its folder, with all their children."""
        if self.process.poll() is None:
            self.kill()
        for process in list(psutil.process_iter(["cmdline"])):
            if str(self.folder) in " ".join(process.info["cmdline"] or []):
                with contextlib.suppress(psutil.Error):
                    for one in (*process.children(recursive=True), process):
                        one.kill()

    def ask(self, method, path, body=None, **headers):
        """Status, and what the answer holds: JSON read, else bytes."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        if isinstance(body, dict):
            headers.setdefault("Content-Type", "application/json")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.address + path, data, named, method=method)
        try:
            with _OPENER.open(request, timeout=30) as answer:
                return answer.status, _read(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _read(error)

    def send(self, clip: Path, name: str | None = None, start: bool = True, **settings) -> str:
        words = f"name={urllib.request.quote(name or clip.name)}&start={str(start).lower()}"
        words += f"&settings={urllib.request.quote(json.dumps(settings))}"
        status, job = self.ask("POST", f"/api/jobs?{words}", clip.read_bytes())
        assert status == 201, job
        return job["id"]

    def job(self, number: str) -> dict:
        status, job = self.ask("GET", f"/api/jobs/{number}")
        assert status == 200, job
        return job

    def until(self, number: str, *states: str, seconds: float = 60) -> dict:
        deadline = time.monotonic() + seconds
        while (job := self.job(number))["state"] not in states:
            assert time.monotonic() < deadline, (job["state"], job["sentence"], self.log.read_text())
            time.sleep(0.1)
        return job


def _read(answer):
    body = answer.read()
    return json.loads(body) if body and "json" in (answer.headers.get("Content-Type") or "") else body


def runners(folder: Path) -> list[psutil.Process]:
    """The processes that work for the jobs of a folder."""
    named = [(p, " ".join(p.info["cmdline"] or [])) for p in psutil.process_iter(["cmdline"])]
    return [process for process, words in named if str(folder) in words and "selfhvd serve" not in words]
