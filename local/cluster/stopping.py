"""Stop every container below a root, with or without a server."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from local.cluster.container import Container, kill_strays

POLL = 0.05


def stop_containers(root: Path, grace: float) -> int:
    """Send SIGTERM to all running containers, SIGKILL after ``grace`` seconds; return their number.

    All their processes have ended when it returns.
    """
    containers = [Container(folder) for folder in (root / "pods").glob("*/containers/*")]
    live = [container for container in containers if container.alive]
    for container in live:
        container.signal(signal.SIGTERM)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and any(container.alive for container in live):
        time.sleep(POLL)
    while remaining := [container for container in live if container.alive]:
        for container in remaining:
            container.signal(signal.SIGKILL)
        time.sleep(POLL)
    kill_strays(root / "pods")
    return len(live)
