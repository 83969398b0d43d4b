"""Holds one program with all that it starts: `python -m local.stack.guard PIDFILE [OPTIONS] -- PROGRAM ARG…`.

When the program ends, whatever it left running ends too, unless `--leave` is given. When the guard is told to stop, or
its own parent dies, however it dies, the program gets SIGTERM (or signal N of `--stop=N`), a grace time, and then
everything is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

GRACE_SECONDS = 12

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    """Linux's prctl; elsewhere nothing: there a killed supervisor leaves its processes to `down`."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def kill_descendants() -> None:
    """Kills everything below this process, and what appears meanwhile."""
    for _ in range(50):
        children = psutil.Process().children(recursive=True)
        if not children:
            return
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=0.2)


def main() -> int:
    """Runs the program; gives its exit status."""
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

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the supervisor's to handle
    if os.getppid() != parent:  # it died before the kernel was asked to tell
        return 1
    program = subprocess.Popen(sys.argv[separator + 1 :], preexec_fn=_die_with_parent, start_new_session=True)
    pid_file.write_text(json.dumps({"pid": program.pid, "guard": os.getpid(), "since": time.time()}))
    while program.poll() is None and not stopping:
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(timeout=0.2)
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
