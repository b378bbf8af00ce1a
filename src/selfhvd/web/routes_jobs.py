"""Jobs over HTTP: sent, listed, started, paused, cancelled, removed. The page uses these routes and no others."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from selfhvd.system.disk import free_in
from selfhvd.video import check_source
from selfhvd.web import wishes
from selfhvd.web.names import file_name, shown_name
from selfhvd.web.paths import Allowed
from selfhvd.web.record import Settings, State
from selfhvd.web.refused import Refused
from selfhvd.web.store import Entry, JobStore, places
from selfhvd.web.uploads import Uploads
from selfhvd.web.view import Brief, Full, brief, full
from selfhvd.web.wishes import Wish


class Jobs:
    """What the routes do, for one owner at a time; another's job is as if it were not there."""

    def __init__(self, store: JobStore, uploads: Uploads, allowed: Allowed) -> None:
        self.store, self.uploads, self.allowed = store, uploads, allowed

    def find(self, owner: str, number: str) -> Entry:
        """`Refused` where the owner has no such job."""
        return find_job(self.store, owner, number)

    def wish(self, owner: str, number: str, decide: Wish) -> Full:
        """Write a wish down and tell what the job is then."""
        self.find(owner, number)
        wishes.wish(self.store, number, decide)
        return full(self.find(owner, number))

    def remove(self, owner: str, number: str) -> None:
        """Stop a job and have it removed."""
        self.find(owner, number)
        wishes.wish(self.store, number, wishes.remove)

    def name(self, owner: str, path: str, settings: Settings, start: bool) -> Full:
        """A job of a clip of this machine, which stays where it is."""
        clip = self.allowed.clip(path)
        self.uploads.check(self.store.path, len(self.store.all(owner)), 0)
        check_source(clip)
        with self.store.new() as folder:
            return full(self.store.submit(folder, owner, shown_name(clip.name), clip, settings, start=start))

    def again(self, owner: str, number: str) -> Full:
        """Another job of the same clip, to be started by other settings."""
        entry = self.find(owner, number)
        self.uploads.check(self.store.path, len(self.store.all(owner)), 0)
        with self.store.new() as folder:
            source = entry.folder.lend(entry.job.source, folder)
            return full(self.store.submit(folder, owner, entry.job.name, source, entry.job.settings, start=False))

    async def receive(self, owner: str, name: str, settings: Settings, start: bool, request: Request) -> Full:
        """A job of a clip that is being sent."""
        declared = int(length) if (length := request.headers.get("content-length", "0")).isdecimal() else 0
        count = len(await run_in_threadpool(self.store.all, owner))
        self.uploads.check(self.store.path, count, declared)
        with self.uploads.one_more(owner), self.store.new() as folder:
            clip = folder.clip / file_name(name)
            try:
                await self.uploads.receive(request.stream(), clip)
            except ClientDisconnect as gone:
                raise Refused(400, "The clip did not come whole; send it again.") from gone
            entry = await run_in_threadpool(
                self.store.submit, folder, owner, shown_name(name), clip, settings, start=start
            )
            return await run_in_threadpool(full, entry)


def find_job(store: JobStore, owner: str, number: str) -> Entry:
    """`Refused` where the owner has no such job, as where nobody has."""
    entry = store.find(number)
    if entry is None or entry.job.owner != owner:
        raise Refused(404, "There is no such clip; it may have been removed.")
    return entry


def job_routes(store: JobStore, uploads: Uploads, allowed: Allowed) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/api", tags=["jobs"])
    jobs = Jobs(store, uploads, allowed)

    @routes.get("/jobs")
    def list_jobs(request: Request) -> list[Brief]:
        """Your jobs, in the order that they came."""
        entries = store.all()
        before = places(entries)
        return [brief(e, before.get(e.job.id, 0)) for e in entries if e.job.owner == request.state.owner]

    @routes.post("/jobs", status_code=201)
    async def send(
        request: Request,
        name: Annotated[str, Query(max_length=1000)] = "clip",
        start: bool = False,
        settings: Annotated[str, Query(max_length=2000)] = "{}",
    ) -> Full:
        """Send a clip as the body of the request; `settings` is JSON; with `start` it is restored without more ado."""
        return await jobs.receive(request.state.owner, name, _settings(settings), start, request)

    @routes.post("/paths", status_code=201)
    def name_path(
        request: Request,
        path: Annotated[str, Body(max_length=4096)],
        settings: Annotated[Settings, Body()] = Settings(),
        start: Annotated[bool, Body()] = False,
    ) -> Full:
        """Name a clip of the machine that the server runs on, in a folder that was allowed; it is not copied."""
        return jobs.name(request.state.owner, path, settings, start)

    @routes.get("/paths")
    def list_paths() -> list[str]:
        """Clips that may be named."""
        return allowed.listed()

    @routes.get("/limits")
    def limits() -> dict[str, Any]:
        """What may be sent, and whether paths may be named."""
        return {**vars(uploads.limits), "free": free_in(store.path), "paths": bool(allowed.folders)}

    @routes.get("/jobs/{number}")
    def show(request: Request, number: str) -> Full:
        """All that is known of a job."""
        entry = jobs.find(request.state.owner, number)
        return full(entry, places(store.all()).get(number, 0) if entry.state == State.QUEUED else 0)

    @routes.post("/jobs/{number}/start")
    def start_job(request: Request, number: str, settings: Annotated[Settings | None, Body()] = None) -> Full:
        """Restore it, go on with it, or write a finished one again with another strength, quality or codec."""
        return jobs.wish(request.state.owner, number, wishes.start(settings))

    @routes.post("/jobs/{number}/pause")
    def pause_job(request: Request, number: str) -> Full:
        """Stop it with all that was done saved."""
        return jobs.wish(request.state.owner, number, wishes.pause)

    @routes.post("/jobs/{number}/cancel")
    def cancel_job(request: Request, number: str) -> Full:
        """Stop it and clear away what was done; the clip stays, and a result that was only to be written again."""
        return jobs.wish(request.state.owner, number, wishes.cancel)

    @routes.post("/jobs/{number}/again", status_code=201)
    def again(request: Request, number: str) -> Full:
        """Another job of the same clip, for other settings; this one stays as it is."""
        return jobs.again(request.state.owner, number)

    @routes.delete("/jobs/{number}", status_code=204)
    def remove_job(request: Request, number: str) -> None:
        """Stop it and remove it with all its files."""
        jobs.remove(request.state.owner, number)

    return routes


def _settings(text: str) -> Settings:
    """`Refused` where it is no JSON of settings."""
    try:
        return Settings.model_validate_json(text)
    except ValueError as error:
        first = str(error).splitlines()
        raise Refused(422, f"The settings cannot be understood: {' '.join(first[1:3])}") from error
