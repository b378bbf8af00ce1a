"""Files of a job over HTTP: poster, the frame under way, the page's copy, the result, its report and record."""

from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response

from selfhvd.system.atomic import remove
from selfhvd.web.pictures import picture_under_way
from selfhvd.web.record import State
from selfhvd.web.refused import Refused
from selfhvd.web.routes_jobs import find_job
from selfhvd.web.store import Entry, JobStore
from selfhvd.web.view import Full, full, record_of, report_of

_REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts"
)
"""A report is a page by itself, whose own policy names its only script; in a sandbox it cannot ask this server."""

_NONE = "This file is not there (yet, or no more)."


def file_routes(store: JobStore) -> APIRouter:
    """The routes. Which file, is the server's to know: no part of an address ever becomes part of a path."""
    routes = APIRouter(prefix="/api/jobs/{number}", tags=["files"])

    def entry_of(request: Request, number: str) -> Entry:
        return find_job(store, request.state.owner, number)

    @routes.get("/poster.jpg", response_class=FileResponse)
    def poster(request: Request, number: str) -> Response:
        """The clip's first frame."""
        return _file(entry_of(request, number).folder.poster, "image/jpeg")

    @routes.get("/frame.jpg", response_class=Response)
    def frame(
        request: Request,
        number: str,
        index: Annotated[int, Query(ge=0, le=10_000_000)],
        which: Literal["before", "after"] = "after",
    ) -> Response:
        """A frame of a run under way, as it came or as it was restored."""
        entry = entry_of(request, number)
        picture = picture_under_way(entry.job, entry.folder, index, restored=which == "after")
        if picture is None:
            raise Refused(404, "This frame is not there yet.")
        return Response(picture, media_type="image/jpeg")

    @routes.get("/play.mp4", response_class=FileResponse)
    def play(request: Request, number: str) -> Response:
        """Before and after in one H.264 video, which every browser plays."""
        return _file(entry_of(request, number).folder.copy, "video/mp4")

    @routes.get("/result", response_class=FileResponse)
    def result(request: Request, number: str) -> Response:
        """The result as it was written, to be kept."""
        file = _result(entry_of(request, number))
        return _file(file, "application/octet-stream", name=file.name)

    @routes.get("/report", response_class=Response)
    def report(request: Request, number: str) -> Response:
        """The report of the run, a page by itself."""
        entry = entry_of(request, number)
        answer = _text(entry, report_of(_result(entry)), "text/html")
        answer.headers["Content-Security-Policy"] = _REPORT_POLICY
        return answer

    @routes.get("/record", response_class=Response)
    def record(request: Request, number: str) -> Response:
        """The record of the run, as JSON."""
        entry = entry_of(request, number)
        return _text(entry, record_of(_result(entry)), "application/json")

    @routes.post("/tidy", tags=["jobs"])
    def tidy(request: Request, number: str) -> Full:
        """Remove the frames that a finished run keeps for another strength; the result stays."""
        entry = entry_of(request, number)
        outcome = entry.folder.outcome(entry.job)
        if outcome is None or entry.state != State.DONE:
            raise Refused(409, f"It is {entry.state}; only a finished one can be tidied.")
        with entry.folder.held(1.0):
            remove(entry.folder.work(outcome))
        return full(entry)

    return routes


def _result(entry: Entry) -> Path:
    outcome = entry.folder.outcome(entry.job) or entry.folder.earlier(entry.job)
    if outcome is None or outcome.state != "done":
        raise Refused(404, f"There is no result yet: it is {entry.state}.")
    return entry.folder.result(outcome)


def _text(entry: Entry, path: Path, kind: str) -> Response:
    """A text that a run wrote, without the paths of this machine."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        raise Refused(404, _NONE) from None
    shown = entry.folder.without_paths(text, entry.job, clip=entry.job.source.name)
    return Response(shown.encode(errors="surrogateescape"), media_type=kind)


def _file(path: Path, kind: str, name: str | None = None) -> Response:
    """A file, in pieces where a browser asks for some; `name`: it is to be kept under it."""
    if not path.is_file():
        raise Refused(404, _NONE)
    return FileResponse(path, media_type=kind, filename=name)
