"""The processes of a stack, and its commands as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests.shared import REPO
from tests.waiting import wait_until


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m local` for the stack in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "local", arguments[0], "--dir", str(folder), *arguments[1:]],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return all processes with the stack's folder in their command line, environment or working folder."""
    found = []
    for process in psutil.process_iter():
        try:
            known = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(folder) in text for text in known):
            found.append(process)
    return found


def assert_nothing_is_left(folder: Path) -> None:
    """Wait until no process of the stack in a folder runs."""
    wait_until(lambda: not processes_of(folder), lambda: f"still there: {processes_of(folder)}", pause=0.1)
