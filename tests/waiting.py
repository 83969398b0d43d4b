"""Waits for a state. The limit is far beyond the time on a busy machine: only a hang exceeds it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 600
"""Seconds, for every wait of a test: for a state, for a reply, for the end of a process."""
RUN_PATIENCE = 1800
"""Seconds, for a run of a DAG on a stack."""

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T], what: str | Callable[[], str], seconds: float = PATIENCE, pause: float = 0.05
) -> T:
    """Return the condition's value once it is true.

    Raises:
        AssertionError: after this number of seconds, with the text `what` or the function's.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what if isinstance(what, str) else what()
        time.sleep(pause)
    return found
