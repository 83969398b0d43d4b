"""The SQL that finds which of a batch's ledgers a newer export attempt has published. Pure.

An attempt is newer if it began later. Its rows have that time in `batch_insert_ts`. The batch stats have it too, when
they are written, also for ledgers without rows.
"""

from __future__ import annotations

from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import EXPORTED_AT, Table
from stellar_etl_airflow.sql.statement import (
    Parameter,
    Statement,
    ledger_of_row,
    ledgers_parameters,
    range_predicate,
)


def newer_loads(stats: str, table_id: str, ledgers: LedgerRange, exported_at: str) -> Statement:
    """Find the loads of newer attempts: `start_ledger`, `end_ledger` and `exported_at`.

    Args:
        stats: the quoted name of the batch stats.
        table_id: the table's name in the batch stats.
        ledgers: the batch's ledgers; loads that overlap them are returned.
        exported_at: the start of the batch's attempt, RFC 3339.
    """
    sql = (
        f"SELECT start_ledger, end_ledger, exported_at FROM {stats} WHERE table_id = @table_id"
        " AND start_ledger <= @end_ledger AND end_ledger >= @start_ledger AND exported_at > @exported_at"
        " ORDER BY start_ledger"
    )
    named = (Parameter("table_id", "STRING", table_id), Parameter("exported_at", "TIMESTAMP", exported_at))
    return Statement(sql, (*ledgers_parameters(ledgers), *named))


def newer_rows(table: Table, published: str, parameters: tuple[Parameter, ...], exported_at: str) -> Statement:
    """Find the ledgers of newer attempts by their rows: `start_ledger`, `end_ledger` (the same) and `exported_at`.

    Args:
        table: the table.
        published: the quoted name of the published table.
        parameters: the batch's parameters, as `batch_parameters` returns them.
        exported_at: the start of the batch's attempt, RFC 3339.
    """
    sql = f"""\
SELECT ledger AS start_ledger, ledger AS end_ledger, exported_at
FROM (
  SELECT {ledger_of_row(table)} AS ledger, MAX({EXPORTED_AT}) AS exported_at
  FROM {published}
  WHERE {range_predicate(table)}
  GROUP BY 1
)
WHERE exported_at > @exported_at
ORDER BY start_ledger"""
    return Statement(sql, (*parameters, Parameter("exported_at", "TIMESTAMP", exported_at)))
