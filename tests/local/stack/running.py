"""A stack that appears to run: its supervisor is an idle process, so that a test starts no services."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from local.stack import Stack
from tests.waiting import wait_until

WAIT = "import signal; signal.pause()"


@contextlib.contextmanager
def running_stack(folder: Path, **options: str) -> Iterator[tuple[Stack, Path]]:
    """A stack whose supervisor lives until something stops it, and a file of its data."""
    stack = Stack(folder)
    stack.configure(**options)
    kept = stack.layout.root / "bq" / "kept"
    for path in (stack.layout.run, kept.parent):
        path.mkdir(parents=True)
    kept.touch()
    argv = [sys.executable, "-c", WAIT, "local.stack.supervisor", str(stack.layout.root)]
    with subprocess.Popen(argv) as process:
        try:
            (stack.layout.run / "supervisor.json").write_text(json.dumps({"pid": process.pid}))
            wait_until(lambda: stack.supervisor() is not None, "the process did not begin", pause=0.01)
            yield stack, kept
        finally:
            process.kill()
