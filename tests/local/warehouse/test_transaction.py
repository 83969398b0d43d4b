"""Transactions of the laptop's warehouse: after a failed one the next one works."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from local.warehouse.transaction import transaction


class _InterruptedAtRollback:
    """An engine whose first rollback an interrupt ends, as a cancel does that comes late."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.interrupts = 1

    def execute(self, sql: str) -> Any:
        if sql == "ROLLBACK" and self.interrupts:
            self.interrupts -= 1
            raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")
        return self.connection.execute(sql)


def test_a_late_interrupt_leaves_no_open_transaction() -> None:
    engine: Any = _InterruptedAtRollback()
    engine.execute("CREATE TABLE t (n INTEGER)")
    with pytest.raises(KeyError, match="the job failed"), transaction(engine):
        engine.execute("INSERT INTO t VALUES (1)")
        raise KeyError("the job failed")
    with transaction(engine):
        engine.execute("INSERT INTO t VALUES (2)")
    assert engine.execute("SELECT n FROM t").fetchall() == [(2,)]
