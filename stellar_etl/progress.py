"""Progress of an export on standard error: structured lines, and on a terminal one line that is updated."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

PROGRESS_SECONDS = 5
"""The default time between two reports."""


def log(level: str, message: str) -> None:
    """Print a line in the reference exporter's format: `time="…" level=info msg="…" pid=N`."""
    now = datetime.now(UTC)
    line = f'time="{now:%Y-%m-%dT%H:%M:%SZ}" level={level} msg={json.dumps(message)} pid={os.getpid()}'
    print(line, file=sys.stderr, flush=True)


def log_values(values: dict[str, Any]) -> None:
    """Print a line with a JSON message, as the reference exporter prints its counts."""
    log("info", json.dumps(values, separators=(",", ":")))


class Progress:
    """The progress of an export.

    A context manager: at the end, also after an error, it clears the terminal's line.
    """

    def __init__(self, seconds: float) -> None:
        """At least `seconds` lie between two reports."""
        self._seconds = seconds
        self._in_place = sys.stderr.isatty()
        self._shown = 0
        self._begun = self._reported_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._clear()

    def done(self, rows: int) -> None:
        """Count one more finished part of the work, and report if it is time to.

        Args:
            rows: the number of rows made so far.
        """
        now = time.monotonic()
        if now - self._reported_at < self._seconds:
            return
        self._reported_at = now
        text, values = self.report(rows, max(now - self._begun, 1e-9))
        if self._in_place:
            self._show(text)
        else:
            log_values(values)

    def report(self, rows: int, seconds: float) -> tuple[str, dict[str, Any]]:
        """Return the report after a number of rows and seconds: a line for people, and values for programs."""
        raise NotImplementedError

    def log(self, level: str, message: str) -> None:
        """Print a separate line."""
        self._clear()
        log(level, message)

    def _show(self, text: str) -> None:
        # Spaces overwrite a longer line: not every terminal supports the code that clears it.
        print(f"\r{text:<{self._shown}}", end="", file=sys.stderr, flush=True)
        self._shown = len(text)

    def _clear(self) -> None:
        if self._shown:
            self._show("")
            print("\r", end="", file=sys.stderr, flush=True)


class LedgerProgress(Progress):
    """The number of finished ledgers, the pace, and the remaining time."""

    def __init__(self, total: int, seconds: float) -> None:
        """`total` is the number of ledgers."""
        super().__init__(seconds)
        self._total = total
        self._done = 0

    def done(self, rows: int) -> None:
        """Count one ledger."""
        self._done += 1
        super().done(rows)

    def report(self, rows: int, seconds: float) -> tuple[str, dict[str, Any]]:  # noqa: ARG002 ledgers differ in rows
        """Return the finished ledgers, and the remaining seconds at their pace."""
        rate = self._done / seconds
        left = (self._total - self._done) / rate
        values = {
            "ledgers_done": self._done,
            "ledgers_total": self._total,
            "ledgers_per_second": round(rate, 1),
            "seconds_left": round(left),
        }
        return f"{self._done} of {self._total} ledgers, {rate:.1f} a second, {left:.0f} s left", values


@dataclass
class Reading:
    """The progress of reading a bucket list: the bucket's number, from 1; the number of buckets; bytes so far."""

    bucket: int = 0
    buckets: int = 0
    bytes: int = 0


class StateProgress(Progress):
    """The current bucket, and the bytes and rows so far; archives do not list the buckets' sizes."""

    def __init__(self, reading: Reading, seconds: float) -> None:
        """The reader updates `reading`."""
        super().__init__(seconds)
        self._reading = reading

    def report(self, rows: int, seconds: float) -> tuple[str, dict[str, Any]]:
        """Return the buckets, decompressed megabytes and rows."""
        reading, megabytes, rate = self._reading, self._reading.bytes / 1e6, rows / seconds
        values = {
            "bucket": reading.bucket,
            "buckets": reading.buckets,
            "megabytes_read": round(megabytes, 1),
            "rows": rows,
            "rows_per_second": round(rate),
        }
        text = f"bucket {reading.bucket} of {reading.buckets}, {megabytes:.1f} MB, {rows} rows, {rate:.0f} a second"
        return text, values
