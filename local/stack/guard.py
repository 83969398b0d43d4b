"""Supervises one program with all its children: `python -m local.stack.guard PIDFILE [OPTIONS] -- PROGRAM ARG…`.

When the program ends, its remaining children end too, unless `--leave` is given. When the guard gets SIGTERM, or its
own parent dies in any way, the program gets SIGTERM (or signal N of `--stop=N`) and a grace period. Then everything is
killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

GRACE_SECONDS = 12

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    """Linux's prctl; no effect on other systems: there `down` ends the processes of a killed supervisor."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def kill_descendants() -> None:
    """Kill all processes below this one, and new ones until none is left."""
    for _ in range(50):
        children = psutil.Process().children(recursive=True)
        if not children:
            return
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=0.2)


def _woken_by_signals() -> socket.socket:
    """Return a socket that receives a byte per handled signal: a guard waits without using the processor."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    return reader


def main() -> int:
    """Run the program; return its exit status."""
    separator = sys.argv.index("--")
    options = sys.argv[2:separator]
    pid_file, leave = Path(sys.argv[1]), "--leave" in options
    stop_signal = next((int(option[7:]) for option in options if option.startswith("--stop=")), signal.SIGTERM)
    parent = os.getppid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    stopping = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    woken = _woken_by_signals()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # with a handler, Python reports the signal to the socket
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor handles a terminal's Ctrl-C
    if os.getppid() != parent:  # the parent died before the kernel was asked to report it
        return 1
    program = subprocess.Popen(sys.argv[separator + 1 :], preexec_fn=_die_with_parent, start_new_session=True)
    aside = pid_file.with_suffix(".new")  # `status` can read at any time
    aside.write_text(json.dumps({"pid": program.pid, "guard": os.getpid(), "since": time.time()}))
    aside.replace(pid_file)
    while program.poll() is None and not stopping:
        woken.recv(4096)
    if stopping and program.poll() is None:
        program.send_signal(stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(timeout=GRACE_SECONDS)
    if stopping or not leave:
        kill_descendants()
    pid_file.unlink(missing_ok=True)
    return program.poll() or 0


if __name__ == "__main__":
    sys.exit(main())
