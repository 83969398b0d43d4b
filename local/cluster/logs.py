"""Containers' logs, complete or followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from local.cluster.container import Container
from local.cluster.supervisor import timestamp

POLL = 0.2  # seconds between reads of a growing log
CHUNK = 1 << 16


@dataclass(frozen=True)
class LogRequest:
    """The options of a log request in the API."""

    follow: bool = False
    timestamps: bool = False
    since_seconds: float | None = None
    tail_lines: int | None = None


async def read_log(container: Container, request: LogRequest) -> AsyncIterator[bytes]:
    """Yield complete lines of an existing log, and with ``follow`` new ones until the container has ended."""
    since = b""
    if request.since_seconds is not None:
        since = timestamp(datetime.now(UTC) - timedelta(seconds=request.since_seconds)).encode()
    with container.log.open("rb") as file:
        if request.tail_lines is not None:
            _seek_last_lines(file, request.tail_lines)
        rest = b""
        while True:
            ended = container.ended  # check before reading, so that nothing is written after the last read
            while chunk := file.read(CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                # Lines begin with their time, in a sortable form.
                shown = [line if request.timestamps else line.partition(b" ")[2] for line in lines if line >= since]
                yield b"".join(line + b"\n" for line in shown)
            if ended or not request.follow:
                return
            await asyncio.sleep(POLL)


def _seek_last_lines(file: BinaryIO, count: int) -> None:
    """Move to the start of the last ``count`` lines; the log ends with a line end."""
    position, ends = file.seek(0, 2), 0
    while position and ends <= count:
        size = min(CHUNK, position)
        position -= size
        file.seek(position)
        chunk = file.read(size)
        for index in range(len(chunk) - 1, -1, -1):
            ends += chunk[index] == ord("\n")
            if ends > count:
                file.seek(position + index + 1)
                return
    file.seek(0 if count else file.seek(0, 2))
