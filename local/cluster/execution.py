"""Commands in containers over a websocket, in the channels of ``v4.channel.k8s.io``."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from contextlib import suppress
from typing import Any

from aiohttp import WSMessage, WSMsgType, web

from local.cluster.container import MARKER, Container
from local.cluster.runspec import XCOM_SIDECAR, to_host

PROTOCOL = "v4.channel.k8s.io"
STDIN, STDOUT, STDERR, ERROR = range(4)
CHUNK = 1 << 15
SHELLS = {"sh", "bash", "/bin/sh", "/bin/bash"}
SIDECAR_KILL = re.compile(rb"\bkill -(?:2|INT|s INT)\b")
"""Airflow's command to end its sidecar: `kill -2 $(pgrep -u $(id -u) -f 'sh')`; on the host that hits every shell."""
KILLED_SHELL = 130  # exit code of a shell that its own `kill -2` ends


async def execute(request: web.Request, container: Container, name: str, command: list[str]) -> web.WebSocketResponse:
    """Answer an exec request: run ``command`` in the environment of a running container."""
    socket = web.WebSocketResponse(protocols=(PROTOCOL,))
    await socket.prepare(request)
    if name == XCOM_SIDECAR and command[0] in SHELLS and len(command) == 1:
        code = await _sidecar_shell(socket, container)
    else:
        with_stdin = request.query.get("stdin", "").lower() in ("true", "1")
        code = await _run(socket, container, command, with_stdin=with_stdin)
    with suppress(ConnectionError):
        await _send(socket, ERROR, json.dumps(_exit_status(code)).encode())
        await socket.close()
    return socket


def _exit_status(code: int) -> dict[str, Any]:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with exit code {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


async def _send(socket: web.WebSocketResponse, channel: int, data: bytes) -> None:
    await socket.send_bytes(bytes([channel]) + data)


def _stdin(message: WSMessage) -> bytes:
    """Return a message's bytes for standard input."""
    if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
        return b""
    data = message.data.encode() if isinstance(message.data, str) else message.data
    return bytes(data[1:]) if data[:1] == bytes([STDIN]) else b""


async def _sidecar_shell(socket: web.WebSocketResponse, container: Container) -> int:
    """Emulate the shell of the XCom sidecar: its only input is the command that ends the sidecar."""
    async for message in socket:
        text = _stdin(message)
        if SIDECAR_KILL.search(text):
            container.signal(signal.SIGINT)
            return KILLED_SHELL
        if text.strip():
            await _send(socket, STDERR, b"the XCom sidecar of this cluster only knows `kill -2`\n")
    return 0


async def _run(socket: web.WebSocketResponse, container: Container, command: list[str], *, with_stdin: bool) -> int:
    run = container.run
    argv = [to_host(part, run.mounts) for part in command]
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env={**run.env, MARKER: str(container.folder)},
            cwd=run.cwd,
            stdin=asyncio.subprocess.PIPE if with_stdin else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        await _send(socket, STDERR, f"{error}\n".encode())
        return 126

    async def forward(stream: asyncio.StreamReader | None, channel: int) -> None:
        while stream is not None and (data := await stream.read(CHUNK)):
            await _send(socket, channel, data)

    async def receive() -> None:
        """Pass standard input to the command; a disconnected client ends it."""
        async for message in socket:
            if process.stdin is not None and (data := _stdin(message)):
                is_script = argv[0] in SHELLS and len(argv) == 1
                process.stdin.write(to_host(data.decode(), run.mounts).encode() if is_script else data)
                await process.stdin.drain()
        _kill(process)

    receiver = asyncio.create_task(receive())
    try:
        await asyncio.gather(forward(process.stdout, STDOUT), forward(process.stderr, STDERR))
        return await process.wait()
    finally:
        receiver.cancel()
        _kill(process)


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
