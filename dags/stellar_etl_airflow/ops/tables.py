"""What is in the tables and how long the tasks took: the laptop's report on a job, and that on a deployment."""

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
    held_sql,
    ledgers_within_sql,
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
"""Tasks, without the table's name before the dot, in the order of a batch."""


@dataclass(frozen=True)
class TableReport:
    """One published table.

    Attributes:
        table: its name.
        rows: how many it has.
        first_ledger: its lowest ledger, None if it is empty.
        last_ledger: its highest ledger.
        gaps: ledgers that are missing, or whose rows are not as many as the ledger's header says; None where no
            header says.
        not_loaded: ledgers that were asked for, and that no load has brought into this table; None for a table that is
            made of others.
        duplicates: rows beyond the first of their key; None where rows may be identical.
        failed_checks: how many runs of its check task failed.
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
        """Whether it is whole and clean. Nothing may have happened that a table would hold."""
        return not (self.gaps or self.not_loaded or self.duplicates or self.failed_checks)


@dataclass(frozen=True)
class StageReport:
    """One kind of task over all runs; times in seconds."""

    stage: str
    tasks: int
    median_seconds: float
    longest_seconds: float
    total_seconds: float


def not_loaded(query: Query, table: Table, asked: LedgerRange, names: Names = NO_NAMES) -> int:
    """Return how many ledgers of a range a table lacks: by its rows if it has one per ledger, or by its loads."""
    if table is LEDGERS:
        return asked.end - asked.start + 1 - int(query(held_sql(asked, names))[0]["held"])
    rows = query(loads_sql(table, names))
    held = [LedgerRange(row["start_ledger"], row["end_ledger"]) for row in rows]
    return sum(one.end - one.start + 1 for one in without(asked, held))


def stage_reports(task_instances: Sequence[Mapping[str, Any]]) -> list[StageReport]:
    """Report on every stage, in the order of a batch."""
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
    """Return how many runs of a table's check failed, of those that Airflow's REST API gives."""
    check = f"{table.data_type}.check"
    return sum(task["task_id"] == check and task["state"] in ("failed", "up_for_retry") for task in task_instances)


def newest_reports(
    query: Query, names: Names, days: int, task_instances: Sequence[Mapping[str, Any]]
) -> list[TableReport]:
    """Report on each table that a deployment has, over the last days whose ledgers are loaded.

    Args:
        query: runs SQL in the dataset.
        names: the names of the tables that are there, by data type.
        days: how many days; only their partitions are read.
        task_instances: tasks, as Airflow's REST API gives them.
    """
    if LEDGERS.data_type not in names:
        return []
    (newest,) = query(newest_close_sql())
    if newest["closed_at"] is None:
        return []
    end = newest["closed_at"] + timedelta(seconds=1)
    times = (end - timedelta(days=days), end)
    (held,) = query(ledgers_within_sql(*times, names))
    asked = LedgerRange(held["first"], held["last"]) if held["first"] is not None else None
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
                not_loaded(query, table, asked, names) if asked and table.dag_id in LOADING_DAGS else None,
                totals["duplicates"],
                failed_checks(table, task_instances),
            )
        )
    return reports
