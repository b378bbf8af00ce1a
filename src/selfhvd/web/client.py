"""A client for programs: send a clip to a running `selfhvd serve`, wait for it, fetch the result. It needs no extra.

from selfhvd.web.client import Client

page = Client("http://127.0.0.1:8765", token=None)
job = page.submit("clip.mp4", strength=0.8)
page.wait(job, on_progress=lambda progress: print(progress["stage"], progress["done"]))
page.fetch(job, "clip_deblurred.mp4")
page.remove(job)
"""

import json
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

from selfhvd.errors import DeviceError, InputError, OutputError, SelfHVDError, UsageError, WeightsError
from selfhvd.system.atomic import replacing

_ENDED = ("done", "failed", "cancelled")
_EVERY = 0.5
"""Seconds between two questions how far it is."""
_ERRORS = {error.exit_code: error for error in (UsageError, InputError, OutputError, DeviceError, WeightsError)}


@dataclass(frozen=True)
class Client:
    """One server, as one owner."""

    address: str = "http://127.0.0.1:8765"
    token: str | None = None

    def submit(self, clip: str | Path, **settings: object) -> str:
        """Send a clip and have it restored; the id of the job.

        `settings`: preset, strength, quality, codec, restore, start, end, strip_location, as of `selfhvd deblur`.
        """
        path = Path(clip)
        words = f"name={quote(path.name)}&start=true&settings={quote(json.dumps(settings))}"
        try:
            with path.open("rb") as body:
                length = str(path.stat().st_size)
                return self._json("POST", f"/api/jobs?{words}", body, **{"Content-Length": length})["id"]
        except FileNotFoundError:
            raise InputError(f"{path} does not exist.") from None

    def state(self, job: str) -> dict[str, Any]:
        """All that is known of a job: `state`, `progress`, `facts`, `curve`, `result`, ..."""
        return self._json("GET", f"/api/jobs/{job}")

    def wait(self, job: str, on_progress: Callable[[dict[str, Any]], None] = lambda progress: None) -> dict[str, Any]:
        """Wait until a job has ended, well or not; its state then.

        Raises:
            SelfHVDError: it failed; the error is that which the command would have raised.
        """
        while (now := self.state(job))["state"] not in _ENDED:
            if now["progress"] is not None:
                on_progress(now["progress"])
            time.sleep(_EVERY)
        if now["state"] == "failed":
            raise _error(now["exit_code"], now["sentence"])
        return now

    def fetch(self, job: str, destination: str | Path) -> None:
        """Write the result to a file, whole or not at all."""
        answer = self._ask("GET", f"/api/jobs/{job}/result")
        with answer, replacing(Path(destination)) as part, part.open("wb") as file:
            shutil.copyfileobj(answer, file)
            if answer.length:
                raise OutputError("The result did not come whole; fetch it again.")

    def cancel(self, job: str) -> None:
        """Stop a job and clear away what it did."""
        self._json("POST", f"/api/jobs/{job}/cancel")

    def remove(self, job: str) -> None:
        """Remove a job with all its files."""
        self._ask("DELETE", f"/api/jobs/{job}").close()

    def _json(self, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:  # noqa: ANN401 - a file
        with self._ask(method, path, body, **headers) as answer:
            return json.loads(answer.read())

    def _ask(self, method: str, path: str, body: Any = None, **headers: str) -> HTTPResponse:  # noqa: ANN401 - a file
        own = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        server = urlsplit(self.address)
        line = (HTTPSConnection if server.scheme == "https" else HTTPConnection)(server.netloc)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # refused before all was sent: the answer says why
                line.request(method, server.path.rstrip("/") + path, body, {**own, **headers, "Connection": "close"})
            answer = line.getresponse()
        except (OSError, HTTPException) as error:
            line.close()
            raise OutputError(f"{self.address} does not answer ({error}); start selfhvd serve.") from error
        if answer.status < 400:
            return answer
        with answer:
            told = _told(answer)
        raise _error(told.get("exit_code", 1), told.get("error", f"The server answered {answer.status}."))


def _told(answer: HTTPResponse) -> dict[str, Any]:
    """What a refusal says; nothing where it is not from selfhvd, or breaks off."""
    try:
        found: object = json.loads(answer.read())
    except (ValueError, OSError, HTTPException):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _error(exit_code: int, sentence: str) -> SelfHVDError:
    return _ERRORS.get(exit_code, SelfHVDError)(sentence)
