"""The server's view of one container: the files of its supervisor, and signals to it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.cluster import supervisor

MARKER = "LOCAL_CLUSTER_CONTAINER"
"""Environment variable of every process of a container; its value is the container's folder."""
OUT_OF_MEMORY = "out-of-memory"


@dataclass(frozen=True)
class Run:
    """The command of a container on this machine; all paths are the host's."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    mounts: dict[str, str]
    """The host's paths of the container's mounts."""


@dataclass(frozen=True)
class Container:
    """A container with its files in ``folder``. Nothing is kept in memory: a restarted server sees the same state."""

    folder: Path

    @property
    def log(self) -> Path:
        """The log: lines of an RFC 3339 timestamp, a space and the text. It exists once the process has started."""
        return self.folder / supervisor.LOG

    @property
    def run(self) -> Run:
        """The container's command."""
        return Run(**json.loads((self.folder / supervisor.RUN).read_text()))

    @property
    def exit(self) -> dict[str, Any] | None:
        """``code``, ``started``, ``finished`` and, if the command could not start, ``error``; None before the end."""
        with suppress(FileNotFoundError):
            return dict(json.loads((self.folder / supervisor.EXIT).read_text()))
        return None

    @property
    def identity(self) -> dict[str, Any] | None:
        """The supervisor's ``pid`` and start time, once it has started; it can have ended since."""
        with suppress(FileNotFoundError, json.JSONDecodeError):
            return dict(json.loads((self.folder / supervisor.PID).read_text()))
        return None

    @property
    def alive(self) -> bool:
        """Whether the supervisor runs, by its lock: its process id can belong to another process by now."""
        if self.identity is None:
            return False  # don't test the lock: this could fail a supervisor that takes it
        file = os.open(self.folder / supervisor.PID, os.O_RDONLY)
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    @property
    def lost(self) -> bool:
        """Whether the process ended without an exit code: its supervisor was killed, or the machine stopped."""
        return self.identity is not None and not self.alive and self.exit is None

    @property
    def ended(self) -> bool:
        """Whether it ran, and no process of it runs any more."""
        return self.exit is not None or self.lost

    async def start(self, run: Run) -> None:
        """Start the container's process, unless it was started before."""
        if self.identity is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        env = {**run.env, MARKER: str(self.folder)}
        content = {"argv": run.argv, "env": env, "cwd": run.cwd, "mounts": run.mounts}
        supervisor.write_whole(self.folder / supervisor.RUN, json.dumps(content))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", supervisor.__file__, str(self.folder)),
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if await process.wait():
            raise OSError(f"the supervisor of {self.folder} did not start")

    def signal(self, number: signal.Signals) -> None:
        """Send SIGTERM or SIGINT to the first process of a live container; SIGKILL ends all its processes."""
        identity = self.identity
        if identity is None or not self.alive:
            return
        with suppress(ProcessLookupError):
            os.kill(identity["pid"], signal.SIGUSR1 if number == signal.SIGKILL else number)

    def mark_out_of_memory(self) -> None:
        """Mark the container, so that its end by SIGKILL is reported as out of memory."""
        (self.folder / OUT_OF_MEMORY).touch()

    @property
    def out_of_memory(self) -> bool:
        """Whether the container was marked as out of memory."""
        return (self.folder / OUT_OF_MEMORY).exists()


def kill_strays(folder: Path) -> None:
    """Kill processes of containers at or below ``folder`` without a supervisor, on systems with ``/proc``."""
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            variables = environment.read_bytes().split(b"\0")
            marks = (v.partition(b"=")[2] for v in variables if v.startswith(MARKER.encode() + b"="))
            if any(Path(os.fsdecode(mark)).is_relative_to(folder) for mark in marks):
                os.kill(int(environment.parent.name), signal.SIGKILL)
