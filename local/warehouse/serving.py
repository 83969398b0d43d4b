"""Less work per request: what FastAPI would do in threads, and middleware of bqemulator that nothing here uses."""

from __future__ import annotations

import time
from typing import Annotated

from bqemulator.api import dependencies, middleware
from bqemulator.api.dependencies import AppContext
from bqemulator.observability.logging_ import get_logger
from bqemulator.row_access.identity import CallerIdentity
from fastapi import Depends, FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = get_logger(__name__)

REPLACED: frozenset[object] = frozenset(
    {middleware.MetricsMiddleware, middleware.AccessLogMiddleware, middleware.CorrelationIdMiddleware}
)
"""Each of these starts a task for every request. Together they take longer than most requests."""


async def _context(request: Request) -> AppContext:
    return dependencies.get_context(request)


async def _caller(request: Request) -> CallerIdentity:
    return dependencies.get_caller(request)


# FastAPI calls bqemulator's functions, which are not coroutine functions, in a thread.
TheContext = Annotated[AppContext, Depends(_context)]
TheCaller = Annotated[CallerIdentity, Depends(_caller)]


class LogRequests:
    """Middleware that logs each request at the level info."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, then log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def send_and_look(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await self._app(scope, receive, send_and_look)
        milliseconds = round((time.perf_counter() - started) * 1000, 2)
        _log.info("http.request", method=scope["method"], path=scope["path"], status=status, elapsed_ms=milliseconds)


def replace_middleware(app: FastAPI) -> None:
    """Remove the middleware of bqemulator that this server does without, and log requests."""
    app.user_middleware = [one for one in app.user_middleware if one.cls not in REPLACED]
    app.add_middleware(LogRequests)
