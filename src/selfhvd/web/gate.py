"""The gate: every request passes it, and every answer gets its headers here."""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse

from selfhvd.web.access import LOCAL, Owners, Patience, cookie_name
from selfhvd.web.hosts import Hosts

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
_OPEN = re.compile(r"/|/jobs/[0-9a-f]{32}|/static/[\w.-]+|/favicon\.ico|/api/session")
"""What one sees without a token: the page itself, which asks for it."""
_CLIPS = re.compile(r"/api/jobs/?")
"""Where bodies may be long."""
_LONGEST = 65536
"""Bytes of any other body."""
_LISTENING, _PASSED_OVER = 1.0, 64 << 20
"""Seconds and bytes for which the rest of a body is read after it was refused."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
"""Of every answer that does not say otherwise itself."""


class Gate:
    """Lets in who may come, by host, page and token; the owner goes on as `scope["state"]["owner"]`."""

    def __init__(self, app: Application, owners: Owners, hosts: Hosts) -> None:
        self.app, self.owners, self.hosts, self.patience = app, owners, hosts, Patience()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there are no web sockets
        sender = _heard(scope, receive, _with_headers(send))
        refused = self._refusal(scope)
        if refused is not None:
            await refused(scope, receive, sender)
            return
        await self.app(scope, _short(scope, receive), sender)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        """Why a request is not let in."""
        headers = Headers(scope=scope)
        host, origin, site = headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site", "none")
        changing, path = scope["method"] in _CHANGING, scope["path"]
        if not self.hosts.knows(host):
            return refusal(421, "This server does not go by that name; start it with --also-known-as NAME.")
        foreign = origin is not None and not self.hosts.is_own(origin, host)
        if foreign or (site not in ("same-origin", "none") and (changing or path.startswith("/api/"))):
            return refusal(403, "Another page asked for this; open the page of selfhvd itself.")
        if not _CLIPS.fullmatch(path) and _declared(headers) > _LONGEST:
            return refusal(413, f"At most {_LONGEST} bytes can be sent here.")
        owner = self._owner(scope, headers)
        if owner is None and not _OPEN.fullmatch(path):
            return self._unknown(headers)
        scope.setdefault("state", {})["owner"] = owner
        scope["state"]["patience"] = self.patience
        return None

    def _owner(self, scope: Scope, headers: Headers) -> str | None:
        """By token or by cookie; everybody is `local` where no tokens are asked for."""
        if not self.owners.are_asked:
            return LOCAL
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._of_token(token.strip())
        return self.owners.of_cookie(cookie_parser(headers.get("cookie", "")).get(cookie_name(scope), ""))

    def _of_token(self, token: str) -> str | None:
        """None for a wrong one, which counts wherever it is given, and for any once too many were wrong."""
        if self.patience.is_over():
            return None
        owner = self.owners.of_token(token)
        if owner is None:
            self.patience.count()
        return owner

    def _unknown(self, headers: Headers) -> JSONResponse:
        if "authorization" in headers and self.patience.is_over():
            return refusal(429, "Too many tokens were wrong; wait a minute.")
        return refusal(401, "A token is needed: sign in on the page, or send Authorization: Bearer TOKEN.")


def refusal(status: int, sentence: str, exit_code: int = 2) -> JSONResponse:
    """An answer that says why not."""
    headers = {"Connection": "close"} if status in (408, 413, 507) else {}
    return JSONResponse({"error": sentence, "exit_code": exit_code}, status, headers)


def _declared(headers: Headers) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isdecimal() else 0


def _short(scope: Scope, receive: Receive) -> Receive:
    """Bodies that are no clips end where they are longer than any honest one, whatever they declared."""
    if _CLIPS.fullmatch(scope["path"]):
        return receive
    seen = 0

    async def limited() -> MutableMapping[str, Any]:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if seen > _LONGEST else message

    return limited


def _heard(scope: Scope, receive: Receive, send: Send) -> Send:
    """Of answers after which the line is closed nothing gets lost: what is still being sent is passed over for a while.

    Whoever is cut off while sending a clip often never reads why it was refused.
    """
    closing = False

    async def sender(message: MutableMapping[str, Any]) -> None:
        nonlocal closing
        if message["type"] == "http.response.start":
            closing = MutableHeaders(scope=message).get("connection") == "close"
        elif closing and not message.get("more_body"):
            await send({**message, "more_body": True})
            with suppress(TimeoutError):
                await asyncio.wait_for(_passed_over(receive), _LISTENING)
            message = {"type": "http.response.body"}
        await send(message)

    return send if "expect" in Headers(scope=scope) else sender  # it waits for the answer before it sends


async def _passed_over(receive: Receive) -> None:
    seen = 0
    while seen < _PASSED_OVER:
        message = await receive()
        seen += len(message.get("body", b""))
        if not message.get("more_body"):
            return


def _with_headers(send: Send) -> Send:
    async def sender(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sender
