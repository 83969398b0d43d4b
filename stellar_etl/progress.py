"""What an export says while it works, on standard error: structured lines, and on a terminal one line in place."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

PROGRESS_SECONDS = 5
"""How long to work between two reports, if not said otherwise."""


def log(level: str, message: str) -> None:
    """Prints a line as the reference exporter does: `time="…" level=info msg="…" pid=N`."""
    now = datetime.now(UTC)
    line = f'time="{now:%Y-%m-%dT%H:%M:%SZ}" level={level} msg={json.dumps(message)} pid={os.getpid()}'
    print(line, file=sys.stderr, flush=True)


def log_values(values: dict[str, Any]) -> None:
    """Prints a line whose message is JSON, as the reference exporter prints its counts."""
    log("info", json.dumps(values, separators=(",", ":")))


class Progress:
    """How many ledgers are done, how fast, and how long the others will take.

    A context manager: at the end, however it comes, nothing of it is left on a terminal's line.
    """

    def __init__(self, total: int, seconds: float) -> None:
        """`total` ledgers are to be done; at least `seconds` lie between two reports."""
        self._total = total
        self._seconds = seconds
        self._in_place = sys.stderr.isatty()
        self._shown = 0
        self._done = 0
        self._begun = self._said = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._clear()

    def ledger_done(self) -> None:
        """Counts one ledger, and reports if it is time to."""
        self._done += 1
        now = time.monotonic()
        if now - self._said < self._seconds:
            return
        self._said = now
        rate = self._done / max(now - self._begun, 1e-9)
        left = (self._total - self._done) / rate
        if self._in_place:
            self._show(f"{self._done} of {self._total} ledgers, {rate:.1f} a second, {left:.0f} s left")
        else:
            log_values(
                {
                    "ledgers_done": self._done,
                    "ledgers_total": self._total,
                    "ledgers_per_second": round(rate, 1),
                    "seconds_left": round(left),
                }
            )

    def log(self, level: str, message: str) -> None:
        """Prints a line of its own."""
        self._clear()
        log(level, message)

    def _show(self, text: str) -> None:
        # Spaces cover what was longer: not every terminal knows the code that clears a line.
        print(f"\r{text:<{self._shown}}", end="", file=sys.stderr, flush=True)
        self._shown = len(text)

    def _clear(self) -> None:
        if self._shown:
            self._show("")
            print("\r", end="", file=sys.stderr, flush=True)
