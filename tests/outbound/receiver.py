"""A partner's HTTP API on loopback that supports idempotency keys, with faults on request.

A batch's number determines its fault, so that a test can count: `--faults throttle=5:1,lost=7:2` throttles the first
try of batches 1, 6, 11, … and loses the reply of the first try of batches 2, 9, …. A journal records applied batches,
so that a restarted receiver has the keys of earlier requests.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from aiohttp import web

from tests.local.emulators import Server
from tests.shared import REPO

KINDS = ("throttle", "unavailable", "lost", "slow", "reject", "reset", "broken", "error")
ONCE = frozenset(KINDS) - {"reject", "broken"}
"""Faults that affect only a batch's first try."""


@dataclass
class State:
    """The received batches."""

    journal: Path
    faults: dict[str, tuple[int, int]]
    latency: float
    lost_seconds: float
    applied: dict[str, dict[str, Any]] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    replays: int = 0
    conflicts: int = 0
    busy: int = 0
    peak: int = 0

    def has(self, fault: str, batch: int, key: str) -> bool:
        every, start = self.faults.get(fault, (0, 0))
        hit = bool(every) and batch % every == start % every
        return hit and (fault not in ONCE or self.tries[key] == 1)

    def apply(self, key: str, batch: int, body: bytes) -> None:
        digest = hashlib.sha256(body).hexdigest()
        if key in self.applied:
            self.replays += 1
            self.conflicts += self.applied[key]["sha256"] != digest
            return
        self.applied[key] = {"key": key, "batch": batch, "sha256": digest, "rows": len(json.loads(body))}
        with self.journal.open("a") as file:
            file.write(json.dumps(self.applied[key]) + "\n")


def app_of(state: State) -> web.Application:
    async def post(request: web.Request) -> web.Response:
        state.busy += 1
        state.peak = max(state.peak, state.busy)
        try:
            return await answer(request)
        finally:
            state.busy -= 1

    async def answer(request: web.Request) -> web.Response:
        body, key, batch = await request.read(), request.headers["Idempotency-Key"], int(request.headers["X-Batch"])
        state.tries[key] += 1
        await asyncio.sleep(state.latency)

        def said(status: int, **headers: str) -> web.Response:
            state.answers[str(status)] += 1
            return web.json_response({"batch": batch}, status=status, headers=headers)

        if state.has("throttle", batch, key):
            return said(429, **{"Retry-After": "1"})
        if state.has("unavailable", batch, key):
            return said(503)
        if state.has("error", batch, key) or state.has("broken", batch, key):
            return said(500)
        if state.has("reset", batch, key):
            state.answers["reset"] += 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if state.has("reject", batch, key):
            return said(422)
        state.apply(key, batch, body)
        if state.has("slow", batch, key):
            await asyncio.sleep(state.lost_seconds / 2)
        if state.has("lost", batch, key):
            state.answers["lost"] += 1
            await asyncio.sleep(state.lost_seconds)
        return said(200)

    async def stats(_request: web.Request) -> web.Response:
        return web.json_response(
            {
                "batches": len(state.applied),
                "rows": sum(one["rows"] for one in state.applied.values()),
                "requests": state.tries.total(),
                "replays": state.replays,
                "conflicts": state.conflicts,
                "peak": state.peak,
                "answers": state.answers,
                "keys": sorted(state.applied),
                "numbers": sorted(one["batch"] for one in state.applied.values()),
            }
        )

    async def health(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application(client_max_size=64 << 20)
    app.add_routes([web.post("/v1/batches", post), web.get("/stats", stats), web.get("/healthz", health)])
    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--faults", default="")
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--lost-seconds", type=float, default=2.0)
    parser.add_argument("--certificate", type=Path)
    arguments = parser.parse_args()
    faults = {}
    for text in filter(None, arguments.faults.split(",")):
        kind, _, numbers = text.partition("=")
        every, _, start = numbers.partition(":")
        assert kind in KINDS, kind
        faults[kind] = (int(every), int(start or 1))
    state = State(arguments.journal, faults, arguments.latency, arguments.lost_seconds)
    if arguments.journal.exists():
        for line in arguments.journal.read_text().splitlines():
            state.applied |= {json.loads(line)["key"]: json.loads(line)}
    context = None
    if arguments.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.certificate)
    web.run_app(app_of(state), host="127.0.0.1", port=arguments.port, ssl_context=context, print=None)


class Receiver(Server):
    """The receiver as a process: a test can kill it and start it again with its applied batches."""

    @property
    def address(self) -> str:
        return f"{self.url}/v1/batches"

    def stats(self) -> dict[str, Any]:
        return requests.get(f"{self.url}/stats", timeout=60).json()


@contextlib.contextmanager
def receiving(folder: Path, **options: object) -> Iterator[Receiver]:
    """Run a receiver with faults during the block."""
    arguments = ["tests.outbound.receiver", "--journal", str(folder / "journal.ndjson")]
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", str(value)]
    receiver = Receiver(arguments, "/healthz")
    receiver.start()
    try:
        yield receiver
    finally:
        if receiver.process is not None and receiver.process.poll() is None:
            receiver.stop()


def certificate_of_another(folder: Path) -> Path:
    """Create a certificate that no authority signed, for another host."""
    path, key = folder / "certificate.pem", folder / "key.pem"
    subject = "/CN=another.example"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", subject]
    subprocess.run([*command, "-keyout", str(key), "-out", str(path)], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return path


PYTHON = REPO / ".venv-outbound" / "bin" / "python"


def worker_environment(storage_url: str) -> dict[str, str]:
    """Return the environment of a worker of exports on a laptop."""
    return {**os.environ, "STORAGE_EMULATOR_HOST": storage_url, "PYTHONPATH": str(REPO), "NO_GCE_CHECK": "true"}


def make_python() -> Path:
    """Return the Python of the environment with Beam, created on first use."""
    subprocess.run([str(REPO / "scripts" / "make_venv.sh"), "outbound"], check=True)
    return PYTHON


if __name__ == "__main__":
    sys.exit(main())
