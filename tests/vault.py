"""HashiCorp Vault's HTTP API on loopback: the parts that clients of the KV engine, version 2, use to read and write.

See https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2. No package that tests may install contains Vault.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hvs.a-token-of-the-tests"
MOUNT = "/v1/secret/data/"


class Vault:
    """The secrets, and the requests for them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.secrets: dict[str, list[dict[str, Any]]] = {}
        """All versions, by path."""
        self.requested: list[str] = []
        """The paths that were read."""

    def answer(self, method: str, path: str, token: str, body: Any) -> tuple[int, dict[str, Any]]:
        if token != TOKEN:
            return 403, {"errors": ["permission denied"]}
        if path == "/v1/auth/token/lookup-self":
            return 200, {"data": {"id": TOKEN, "policies": ["default"], "ttl": 3600}}
        if not path.startswith(MOUNT):
            return 404, {"errors": [f"no handler for route {path!r}"]}
        name = path.removeprefix(MOUNT)
        if method in ("POST", "PUT"):
            versions = self.secrets.setdefault(name, [])
            if body.get("options", {}).get("cas", len(versions)) != len(versions):
                return 400, {"errors": ["check-and-set parameter did not match the current version"]}
            versions.append(body["data"])
            return 200, {"data": self.metadata(len(versions))}
        self.requested.append(name)
        if name not in self.secrets:
            return 404, {"errors": []}
        versions = self.secrets[name]
        return 200, {"data": {"data": versions[-1], "metadata": self.metadata(len(versions))}}

    @staticmethod
    def metadata(version: int) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat()
        return {
            "created_time": now,
            "custom_metadata": None,
            "deletion_time": "",
            "destroyed": False,
            "version": version,
        }


@contextmanager
def running() -> Iterator[Vault]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else {}
            path = self.path.partition("?")[0]
            status, answer = vault.answer(self.command, path, self.headers.get("X-Vault-Token", ""), body)
            content = json.dumps({"request_id": "1", **answer}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        vault = Vault(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield vault
        finally:
            server.shutdown()
