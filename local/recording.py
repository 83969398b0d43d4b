"""Records the requests that the stand-ins receive, for tests that compare them with Google's API descriptions.

Recording is off unless the environment variable `STELLAR_ETL_RECORD_REQUESTS` names a folder. Each process then appends
to a file of its own in it, one JSON object per line: `service`, `method`, `path` (percent-encoded, as sent), `query`
(lists of values by name), `body` (the JSON body, or the metadata of an upload) and `media` (bytes of uploaded content,
null if there are none). Headers and uploaded content are left out, and parameters that hold a credential are masked.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

RECORD_VARIABLE = "STELLAR_ETL_RECORD_REQUESTS"
"""Names the folder of records; without it nothing is recorded."""

MASKED = frozenset({"access_token", "key", "oauth_token", "upload_id"})
"""Query parameters with credentials."""

HEALTH_PATHS = frozenset({"/", "/healthz", "/readyz", "/metrics"})
"""Paths of only the stand-ins, which Google's clients do not request."""


class Recorder:
    """Appends requests to one file; thread-safe."""

    def __init__(self, folder: Path, service: str) -> None:
        """Open the file of this process, readable only by its owner."""
        folder.mkdir(parents=True, exist_ok=True)
        self._service = service
        path = folder / f"{service}-{os.getpid()}.ndjson"
        path.touch(mode=0o600)
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def record(
        self, method: str, path: str, query: Mapping[str, list[str]], body: Any = None, media: int | None = None
    ) -> None:
        """Append one request.

        Args:
            method: The HTTP method.
            path: The path as sent.
            query: The values of each query parameter.
            body: The JSON body, or the metadata of an upload; None if there is none.
            media: The size of uploaded content in bytes; None if there is none.
        """
        if path in HEALTH_PATHS:
            return
        shown = {name: ["***"] * len(values) if name in MASKED else values for name, values in query.items()}
        line = {
            "service": self._service,
            "method": method,
            "path": path,
            "query": shown,
            "body": body,
            "media": media,
        }
        with self._lock:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()


def recorder_of(service: str) -> Recorder | None:
    """Return the recorder of a stand-in, None if the environment variable is not set."""
    folder = os.environ.get(RECORD_VARIABLE)
    return Recorder(Path(folder), service) if folder else None


def parsed_query(text: str) -> dict[str, list[str]]:
    """The values of each parameter of a query string, empty ones included."""
    return parse_qs(text, keep_blank_values=True)
