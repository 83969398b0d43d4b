"""Airflow's metadata and the tasks' logs: old entries are deleted once a day, the metadata by `airflow db clean`.

A DAG cannot do it: tasks have no access to Airflow's database (https://github.com/apache/airflow/issues/50601).
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.stack.environment import bin_folder

KEPT = timedelta(days=60)
"""The retention of rows and logs: the default of the set-up for Composer."""
EVERY = timedelta(days=1)
PATIENCE = timedelta(hours=1)
"""The pause after a failed attempt."""


def command(now: datetime) -> list[str]:
    """Return the command line; the newest run of each DAG stays at any age."""
    before = (now - KEPT).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
    options = ["--clean-before-timestamp", before, "--skip-archive", "--error-on-cleanup-failure", "--yes"]
    return [f"{bin_folder()}/airflow", "db", "clean", *options]


def delete_logs(folder: Path, now: datetime) -> int:
    """Delete the log files below a folder that have not changed for `KEPT`; return their number."""
    before, count = (now - KEPT).timestamp(), 0
    for path in folder.rglob("*.log"):
        with suppress(FileNotFoundError):  # deleted by another process meanwhile
            if path.stat().st_mtime < before:
                path.unlink()
                count += 1
    return count


class Schedule:
    """The time to clean: a day after the last time, which a file records across restarts.

    A new database has nothing to clean for a day.
    """

    def __init__(self, note: Path, now: datetime) -> None:
        self.note = note
        self._next = now
        if note.exists():
            self._next = datetime.fromtimestamp(note.stat().st_mtime, UTC) + EVERY
        else:
            self.done(now)

    def is_due(self, now: datetime) -> bool:
        """Return whether to clean now."""
        return now >= self._next

    def done(self, now: datetime) -> None:
        """Record that the database is clean."""
        self.note.touch()
        self._next = now + EVERY

    def failed(self, now: datetime) -> None:
        """Postpone the next attempt."""
        self._next = now + PATIENCE
