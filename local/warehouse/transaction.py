"""Several DuckDB statements in one transaction."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import duckdb
from bqemulator.observability.logging_ import get_logger
from bqemulator.storage.engine import DuckDBEngine

_log = get_logger(__name__)


@contextlib.contextmanager
def transaction(engine: DuckDBEngine) -> Iterator[None]:
    """Run the block's statements all or not at all, a kill of the process included.

    The process ends if it cannot continue: DuckDB accepts no statement after an internal error, and after a failed
    commit (a full disk) bqemulator's catalog in memory would differ from the one on disk. The server's supervisor
    restarts it on the same data.
    """
    engine.execute("BEGIN TRANSACTION")
    try:
        yield
    except duckdb.FatalException:
        _end("database_invalidated")
    except BaseException:
        _roll_back(engine)
        raise
    try:
        engine.execute("COMMIT")
    except duckdb.Error:
        _end("commit_failed")


def _roll_back(engine: DuckDBEngine) -> None:
    """Roll back, also if a late interrupt for the block's statement ends the first attempt.

    DuckDB would refuse all further statements of the server's only connection.
    """
    try:
        engine.execute("ROLLBACK")
    except duckdb.InterruptException:
        engine.execute("ROLLBACK")


def _end(event: str) -> None:
    _log.exception(f"warehouse.{event}")
    os._exit(1)
