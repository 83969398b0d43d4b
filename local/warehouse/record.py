"""Passes each request to the recorder, for tests that compare them with Google's API description."""

from __future__ import annotations

import json

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.recording import Recorder, parsed_query


class RecordRequests:
    """Middleware that keeps a copy of each request's body; installed only if requests are recorded."""

    def __init__(self, app: ASGIApp, recorder: Recorder) -> None:
        self._app = app
        self._recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, then record it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parts: list[bytes] = []

        async def receive_and_keep() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                parts.append(message.get("body", b""))
            return message

        try:
            await self._app(scope, receive_and_keep, send)
        finally:
            content = b"".join(parts)
            is_json = Headers(scope=scope).get("content-type", "").startswith("application/json")
            self._recorder.record(
                scope["method"],
                scope["raw_path"].decode(),
                parsed_query(scope["query_string"].decode()),
                body=json.loads(content) if content and is_json else None,
                media=None if is_json or not content else len(content),
            )
