"""Several DuckDB statements that count as one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bqemulator.storage.engine import DuckDBEngine


@contextlib.contextmanager
def transaction(engine: DuckDBEngine) -> Iterator[None]:
    """Run the block's statements all or not at all, a kill of the process included."""
    engine.execute("BEGIN TRANSACTION")
    try:
        yield
    except BaseException:
        engine.execute("ROLLBACK")
        raise
    engine.execute("COMMIT")
