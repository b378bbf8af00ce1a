"""Signing in: a browser gives a token once and keeps a cookie."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response

from selfhvd.web.access import DAYS, Owners, Patience, cookie_name
from selfhvd.web.gate import refusal


def session_routes(owners: Owners, *, is_local: bool) -> APIRouter:
    """The routes; `is_local`: whether only this machine reaches the server."""
    routes = APIRouter(prefix="/api/session", tags=["session"])

    @routes.get("")
    def who(request: Request) -> dict[str, Any]:
        """Who is signed in, and whether one has to."""
        return {"owner": request.state.owner, "asks": owners.are_asked, "local": is_local}

    @routes.post("")
    def sign_in(request: Request, token: Annotated[str, Body(embed=True, max_length=1000)]) -> Response:
        """Give a token, get a cookie."""
        patience: Patience = request.state.patience
        if patience.is_over():
            return refusal(429, "Too many tokens were wrong; wait a minute.")
        if owners.of_token(token.strip()) is None:
            patience.count()
            return refusal(401, "That token is not known here.")
        answer = Response(status_code=204)
        secure = request.url.scheme == "https"
        answer.set_cookie(
            cookie_name(request.scope),
            owners.cookie(token.strip()),
            max_age=DAYS * 86400,
            httponly=True,
            samesite="strict",
            secure=secure,
        )
        return answer

    @routes.delete("", status_code=204)
    def sign_out(request: Request) -> Response:
        """Forget the cookie."""
        answer = Response(status_code=204)
        answer.delete_cookie(cookie_name(request.scope))
        return answer

    return routes
