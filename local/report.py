"""The report of a job: for each table rows, ledgers, gaps and duplicates; the watermark; for each stage its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import LEDGERS, LOADING_DAGS, PUBLISHED, STATES, WATERMARKS_VIEW_ID, Table
from stellar_etl_airflow.model.versions import OPEN_LEDGER, VALID_TO_LEDGER
from stellar_etl_airflow.ops.tables import (
    Query,
    StageReport,
    TableReport,
    failed_checks,
    not_loaded,
    stage_reports,
)
from stellar_etl_airflow.sql.reports import gaps_sql, totals_sql
from stellar_etl_airflow.sql.versions import current_view_id, history_view_id

__all__ = ["as_rows", "stage_reports", "state_reports", "table_reports", "watermark_reports"]


@dataclass(frozen=True)
class StateReport:
    """The entries of one kind.

    Attributes:
        table: the view that shows them.
        entries: the number of current entries.
        deleted: the number of removed entries.
        last_ledger: the newest ledger that changed one, None if it is empty.
    """

    table: str
    entries: int
    deleted: int
    last_ledger: int | None


def table_reports(
    query: Query,
    start: datetime,
    end: datetime,
    requested: LedgerRange | None,
    task_instances: Sequence[Mapping[str, Any]],
) -> list[TableReport]:
    """Report on every table that the job's tasks load.

    Args:
        query: runs SQL in the warehouse.
        start: the first close time of the job.
        end: its end, excluded.
        requested: the ledgers that closed in between, by the lake; None if it is unknown.
        task_instances: the job's tasks, as Airflow's REST API gives them.
    """
    reports, loaded = [], _loaded(task_instances)
    for table in loaded:
        totals = query(totals_sql(table))[0]
        gaps_query = gaps_sql(table, start, end) if LEDGERS in loaded else None
        reports.append(
            TableReport(
                table.table_id,
                totals["row_count"],
                totals["first_ledger"],
                totals["last_ledger"],
                query(gaps_query)[0]["gaps"] or 0 if gaps_query else None,
                not_loaded(query, table, requested) if requested and table.dag_id in LOADING_DAGS else None,
                totals["duplicates"],
                failed_checks(table, task_instances),
            )
        )
    return reports


def _loaded(task_instances: Sequence[Mapping[str, Any]]) -> list[Table]:
    """The tables that tasks merge into."""
    merged = {task["task_id"].split(".")[0] for task in task_instances if task["task_id"].endswith(".merge")}
    return [table for data_type, table in PUBLISHED.items() if data_type in merged]


def state_reports(query: Query, task_instances: Sequence[Mapping[str, Any]]) -> list[StateReport]:
    """Report on the entries of every change log that the job's tasks load."""
    reports = []
    for table in _loaded(task_instances):
        if table.data_type not in STATES:
            continue
        keys, ledger = ", ".join(table.entry_keys), table.ledger_column
        (row,) = query(
            f"SELECT COUNTIF(until = {OPEN_LEDGER}) AS entries, COUNTIF(until < {OPEN_LEDGER}) AS deleted, "
            f"MAX(IF(until = {OPEN_LEDGER}, since, until)) AS last_ledger "
            f"FROM (SELECT {keys}, MAX({ledger}) AS since, MAX({VALID_TO_LEDGER}) AS until "
            f"FROM {history_view_id(table.table_id)} GROUP BY {keys})"
        )
        view = current_view_id(table.table_id)
        reports.append(StateReport(view, row["entries"], row["deleted"], row["last_ledger"]))
    return reports


@dataclass(frozen=True)
class WatermarkReport:
    """The complete ledgers of a dataset.

    Attributes:
        dataset: its name, as `project.dataset`.
        complete_from: the first ledger of the first complete range, None if no ledger is complete.
        complete_through: the last one: the watermark.
        tables: how many tables the range covers.
        tables_not_loaded: how many tables no load has reached yet.
    """

    dataset: str
    complete_from: int | None
    complete_through: int | None
    tables: int
    tables_not_loaded: int


def watermark_reports(query: Query, task_instances: Sequence[Mapping[str, Any]]) -> list[WatermarkReport]:
    """Report on the watermark of each dataset; nothing if no batch of the job was recorded."""
    recorded = {task["state"] for task in task_instances if task["task_id"] == "batch_stats"}
    if "success" not in recorded:
        return []
    rows = query(
        "SELECT dataset, complete_from, complete_through, table_count, tables_not_loaded "
        f"FROM {WATERMARKS_VIEW_ID} WHERE table_id IS NULL ORDER BY dataset"
    )
    return [WatermarkReport(*row.values()) for row in rows]


Report = TableReport | StateReport | StageReport | WatermarkReport


def as_rows(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Return reports as rows of a table, or for JSON."""
    return [asdict(report) for report in reports]
