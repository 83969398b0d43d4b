"""Reports on the content of tables and the duration of tasks, for the laptop and for a deployment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from stellar_etl_airflow.model.ranges import LedgerRange, without
from stellar_etl_airflow.model.tables import LEDGERS, LOADING_DAGS, PUBLISHED, Table
from stellar_etl_airflow.sql.reports import (
    NO_NAMES,
    Names,
    gaps_sql,
    ledgers_within_sql,
    loaded_ledgers_sql,
    loads_sql,
    name_of,
    newest_close_sql,
    totals_sql,
)

Query = Callable[[str], list[dict[str, Any]]]

STAGES = {
    "get_ledger_range_from_times": "time to ledgers",
    "export": "export",
    "verify_export": "verify",
    "load": "load into staging",
    "check": "check",
    "check_sources": "check sources",
    "merge": "merge",
    "batch_stats": "batch stats",
    "delete_staging": "delete staging",
}
"""Task names, without the group, in the order of a batch, with their description."""


@dataclass(frozen=True)
class TableReport:
    """One published table.

    Attributes:
        table: its name.
        rows: its number of rows.
        first_ledger: its lowest ledger; None if it is empty.
        last_ledger: its highest ledger.
        gaps: the number of ledgers that are missing or whose row count differs from the header; None if headers have no
            count for this table.
        not_loaded: the number of requested ledgers that were never loaded into this table; None for a derived table.
        duplicates: the number of rows beyond the first of their key; None if rows may be identical.
        failed_checks: the number of failed runs of its check task.
    """

    table: str
    rows: int
    first_ledger: int | None
    last_ledger: int | None
    gaps: int | None
    not_loaded: int | None
    duplicates: int | None
    failed_checks: int

    @property
    def good(self) -> bool:
        """Whether the table has no problem. It may be empty if the ledgers have no rows for it."""
        return not (self.gaps or self.not_loaded or self.duplicates or self.failed_checks)


@dataclass(frozen=True)
class StageReport:
    """One kind of task over all runs; times in seconds."""

    stage: str
    tasks: int
    median_seconds: float
    longest_seconds: float
    total_seconds: float


def not_loaded(query: Query, table: Table, requested: LedgerRange, names: Names = NO_NAMES) -> int:
    """Return how many ledgers of a range a table lacks: by its rows if it has one per ledger, or else by its loads."""
    if table is LEDGERS:
        return requested.end - requested.start + 1 - int(query(loaded_ledgers_sql(requested, names))[0]["held"])
    rows = query(loads_sql(table, names))
    loaded = [LedgerRange(row["start_ledger"], row["end_ledger"]) for row in rows]
    return sum(one.end - one.start + 1 for one in without(requested, loaded))


def stage_reports(task_instances: Sequence[Mapping[str, Any]]) -> list[StageReport]:
    """Return a report per stage, in the order of a batch."""
    seconds: dict[str, list[float]] = {}
    for task in task_instances:
        if task["start_date"] and task["end_date"]:
            spent = datetime.fromisoformat(task["end_date"]) - datetime.fromisoformat(task["start_date"])
            seconds.setdefault(task["task_id"].rsplit(".", 1)[-1], []).append(spent.total_seconds())
    order = [*STAGES, *(name for name in seconds if name not in STAGES)]
    return [
        StageReport(
            STAGES.get(name, name),
            len(seconds[name]),
            round(median(seconds[name]), 2),
            round(max(seconds[name]), 2),
            round(sum(seconds[name]), 2),
        )
        for name in order
        if name in seconds
    ]


def failed_checks(table: Table, task_instances: Sequence[Mapping[str, Any]]) -> int:
    """Return the number of failed runs of a table's check task among task instances."""
    check = f"{table.data_type}.check"
    return sum(task["task_id"] == check and task["state"] in ("failed", "up_for_retry") for task in task_instances)


def newest_reports(
    query: Query, names: Names, days: int, task_instances: Sequence[Mapping[str, Any]]
) -> list[TableReport]:
    """Return a report per table of a deployment, over the last days whose ledgers are loaded.

    Args:
        query: runs SQL in the dataset.
        names: the names of the existing tables, by data type.
        days: the number of days; only their partitions are read.
        task_instances: tasks in the format of Airflow's REST API.
    """
    if LEDGERS.data_type not in names:
        return []
    (newest,) = query(newest_close_sql())
    if newest["closed_at"] is None:
        return []
    end = newest["closed_at"] + timedelta(seconds=1)
    times = (end - timedelta(days=days), end)
    (loaded,) = query(ledgers_within_sql(*times, names))
    requested = LedgerRange(loaded["first"], loaded["last"]) if loaded["first"] is not None else None
    reports = []
    for table in (PUBLISHED[data_type] for data_type in PUBLISHED if data_type in names):
        (totals,) = query(totals_sql(table, names, times))
        gaps = gaps_sql(table, *times, names)
        reports.append(
            TableReport(
                name_of(table, names),
                totals["row_count"],
                totals["first_ledger"],
                totals["last_ledger"],
                query(gaps)[0]["gaps"] or 0 if gaps else None,
                not_loaded(query, table, requested, names) if requested and table.dag_id in LOADING_DAGS else None,
                totals["duplicates"],
                failed_checks(table, task_instances),
            )
        )
    return reports
