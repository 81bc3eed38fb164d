"""Health endpoints: /livez, /readyz, /metrics, and the routes that a service adds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from carebus_contracts.errors import ConfigurationError

Check = Callable[[], Awaitable[str]]
"""Answers with what is wrong, or nothing."""


def health_routes(alive: Check, ready: Check) -> list[Route]:
    """Return the routes; 200 or 503, and in the body what is wrong."""

    async def livez(request: Request) -> Response:
        return _answer(await alive())

    async def readyz(request: Request) -> Response:
        return _answer(await ready())

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


def _answer(fault: str) -> Response:
    return JSONResponse({"ok": not fault, "fault": fault}, status_code=503 if fault else 200)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # the worker owns the signals


@asynccontextmanager
async def serve(host: str, port: int, routes: Sequence[BaseRoute], *, variable: str) -> AsyncIterator[None]:
    """Serve routes while the context is open; port 0 serves nothing.

    Raises:
        ConfigurationError: The port is taken; the text names ``variable``, which sets it.
    """
    if not port:
        yield
        return
    config = uvicorn.Config(
        Starlette(routes=list(routes)), host=host, port=port, log_config=None, access_log=False
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        if running.done():
            raise ConfigurationError(f"port {port} on {host} is in use; set {variable} to a free one")
        await asyncio.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        await running
