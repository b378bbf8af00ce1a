"""The application: the page's files and the routes, behind the gate."""

from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from selfhvd.errors import SelfHVDError
from selfhvd.web.access import Owners
from selfhvd.web.gate import Application, Gate, refusal
from selfhvd.web.hosts import Hosts
from selfhvd.web.paths import Allowed
from selfhvd.web.refused import Refused
from selfhvd.web.routes_files import file_routes
from selfhvd.web.routes_jobs import job_routes
from selfhvd.web.routes_session import session_routes
from selfhvd.web.store import JobStore
from selfhvd.web.uploads import Limits, Uploads

_STATIC = Path(str(files("selfhvd.web"))) / "static"
_KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Site:
    """Everything that routes need to know."""

    store: JobStore
    owners: Owners
    hosts: Hosts
    allowed: Allowed = Allowed()
    limits: Limits = Limits()
    is_local: bool = True
    """Whether only this machine reaches it."""


def make_app(site: Site) -> Application:
    """The whole site. The documentation pages of FastAPI are left out: they load scripts from elsewhere."""
    app = FastAPI(
        title="selfhvd",
        version=version("selfhvd"),
        description="Jobs of the page, for programs; see docs/page.md.",
        docs_url=None,
        redoc_url=None,
    )
    uploads = Uploads(site.limits)
    app.include_router(session_routes(site.owners, is_local=site.is_local))
    app.include_router(job_routes(site.store, uploads, site.allowed))
    app.include_router(file_routes(site.store))
    _add_page(app)
    _add_faults(app)
    return Gate(app, site.owners, site.hosts)  # pyright: ignore[reportArgumentType] - ASGI, loosely typed


def _add_page(app: FastAPI) -> None:
    """One page, whatever job its address names."""
    assets = {path.name: path for path in _STATIC.iterdir()}

    @app.get("/", include_in_schema=False)
    @app.get("/jobs/{number}", include_in_schema=False)
    def page(number: str = "") -> FileResponse:
        return FileResponse(_STATIC / "index.html", media_type="text/html", headers={"Cache-Control": "no-cache"})

    @app.get("/static/{name}", include_in_schema=False)
    def asset(name: str) -> Response:
        if name not in assets:
            raise HTTPException(404)
        kind = _KINDS.get(assets[name].suffix, "application/octet-stream")
        return FileResponse(assets[name], media_type=kind, headers={"Cache-Control": "no-cache"})

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> Response:
        return FileResponse(assets["icon.svg"], media_type="image/svg+xml")


def _add_faults(app: FastAPI) -> None:
    """Every fault is one sentence and an exit code, as on the command line."""

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> JSONResponse:
        return refusal(error.status, str(error), error.exit_code)

    @app.exception_handler(SelfHVDError)
    def failed(request: Request, error: SelfHVDError) -> JSONResponse:
        return refusal(400 if error.exit_code in (2, 3) else 500, str(error), error.exit_code)

    @app.exception_handler(RequestValidationError)
    def misunderstood(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first.get("loc", ()) if part != "body")
        return refusal(422, f"{where or 'The request'}: {first.get('msg', 'cannot be understood')}.")

    @app.exception_handler(HTTPException)
    def unknown(request: Request, error: HTTPException) -> JSONResponse:
        return refusal(error.status_code, "There is nothing here." if error.status_code == 404 else str(error.detail))

    @app.exception_handler(Exception)
    def fault(request: Request, error: Exception) -> JSONResponse:
        return refusal(500, f"Unexpected fault in selfhvd: {type(error).__name__}; see the server's terminal.", 1)
