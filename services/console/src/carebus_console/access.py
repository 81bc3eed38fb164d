"""Who may use the API: whoever has the token; without one, programs on this machine."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from carebus_console.settings import is_loopback

Endpoint = Callable[[Request], Awaitable[Response]]


class Access:
    """Guards endpoints."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token.get_secret_value()

    def guarded(self, endpoint: Endpoint) -> Endpoint:
        """Return the endpoint behind the guard."""

        async def guard(request: Request) -> Response:
            refusal = self._refusal(request)
            return refusal if refusal is not None else await endpoint(request)

        return guard

    def proved(self, request: Request) -> bool:
        """Whether the caller showed the token."""
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        shown = given.strip().encode()
        return (
            bool(self._token)
            and kind.lower() == "bearer"
            and hmac.compare_digest(shown, self._token.encode())
        )

    def _refusal(self, request: Request) -> Response | None:
        if self._token:
            if self.proved(request):
                return None
            return JSONResponse(
                {"reasons": ["the console asks for its token: send 'Authorization: Bearer <token>'"]},
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
        # Another site's page in a browser on this machine must not speak for its user.
        own = f"{request.url.scheme}://{request.url.netloc}"
        if request.headers.get("origin", own) != own or not is_loopback(request.url.hostname or ""):
            return JSONResponse(
                {"reasons": ["without a token only programs on this machine may use the console"]},
                status_code=403,
            )
        return None
