"""Runs one container's process, independent of the server: timestamps its log lines and stores its exit code.

``python -I -S supervisor.py DIR`` reads ``DIR/run.json`` (argv, environment and working directory) and returns when
the supervisor runs in the background, in a session of its own. A second start has no effect: a container runs
once. Standard library only, because it starts with every container.

The supervisor holds a lock on ``DIR/supervisor.pid`` as long as it lives. The kernel releases it when the
supervisor ends in any way, so that the id in the file is never taken for that of a later process.

Signals: SIGTERM and SIGINT go to the container's first process, as a container runtime sends them; SIGUSR1 kills all
processes of the container. When the first process ends, the others are killed, as in a container.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

RUN, PID, LOG, EXIT = "run.json", "supervisor.pid", "log", "exit.json"
LONGEST_LINE = 1 << 20
"""Bytes after which a line is split, so that output without line ends does not fill the memory."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
HANDLED = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
START_ERROR = 128
"""Exit code that container runtimes report for a command that cannot start."""


def timestamp(moment: datetime | None = None) -> str:
    """RFC 3339 in UTC with nanoseconds, as in the kubelet's log lines."""
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def write_whole(path: Path, content: str) -> None:
    """Write a file atomically, readable only by its owner (environments contain secrets)."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _prctl(option: int, value: int) -> None:
    """Set a property of this process on Linux; on other systems process groups must suffice."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _copy_lines(source: IO[bytes], log: IO[bytes]) -> None:
    while line := source.readline(LONGEST_LINE):
        log.write(timestamp().encode() + b" " + line.removesuffix(b"\n") + b"\n")


def _kill_children() -> None:
    """Kill the container's remaining processes: orphans become children of the supervisor, round by round."""
    while True:
        children = Path(f"/proc/self/task/{os.getpid()}/children")
        for child in children.read_text().split() if children.exists() else []:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _prepare_container() -> None:
    """End the new process with the supervisor; unblock the signals that the supervisor blocks."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)


def _run(folder: Path) -> dict[str, Any]:
    """Run the container to its end; return the content of ``exit.json``."""
    run = json.loads((folder / RUN).read_text())
    started = timestamp()
    with (folder / LOG).open("ab", buffering=0) as log:
        try:
            process = subprocess.Popen(
                run["argv"],
                env=run["env"],
                cwd=run["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_prepare_container,
            )
        except (OSError, ValueError) as error:
            return {"code": START_ERROR, "error": str(error), "started": started, "finished": timestamp()}
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: process.send_signal(number))
        signal.signal(signal.SIGUSR1, lambda *_: _kill_group(process.pid))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        assert process.stdout is not None
        reader = threading.Thread(target=_copy_lines, args=(process.stdout, log), daemon=True)
        reader.start()
        code = process.wait()
        _kill_group(process.pid)
        _kill_children()
        reader.join(timeout=5)
    return {"code": code if code >= 0 else 128 - code, "started": started, "finished": timestamp()}


def main(folder: Path) -> None:
    """Take the lock, go to the background, run the container, store its exit code."""
    identity = os.open(folder / PID, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(identity, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # it runs
    if os.fstat(identity).st_size:
        return  # it ran
    read_end, write_end = os.pipe()
    if os.fork():
        os.close(write_end)
        os.read(read_end, 1)
        return
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)  # until there is a process to pass them to
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    os.write(identity, json.dumps({"pid": os.getpid(), "started": timestamp()}).encode())
    os.close(write_end)
    os.close(read_end)
    write_whole(folder / EXIT, json.dumps(_run(folder)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
