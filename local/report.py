"""What a job brought: for each table rows, ledgers, gaps and duplicates, and for each stage its time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from statistics import median
from typing import Any

from local.plan import spelt
from stellar_etl_airflow.model.tables import LEDGERS, PUBLISHED, STATES, Table
from stellar_etl_airflow.sql.state import DELETED, state_table_id
from stellar_etl_airflow.sql.statement import identifier, ledger_of_row

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
        duplicates: rows beyond the first of their key; None where rows may be identical.
        failed_checks: how many runs of its check task failed.
    """

    table: str
    rows: int
    first_ledger: int | None
    last_ledger: int | None
    gaps: int | None
    duplicates: int | None
    failed_checks: int

    @property
    def good(self) -> bool:
        """Whether it is whole and clean. Nothing may have happened that a table would hold."""
        return not (self.gaps or self.duplicates or self.failed_checks)


@dataclass(frozen=True)
class StateReport:
    """One point-in-time table.

    Attributes:
        table: its name.
        entries: how many there are now.
        deleted: how many there were.
        last_ledger: the newest ledger that changed one, None if it is empty.
    """

    table: str
    entries: int
    deleted: int
    last_ledger: int | None


@dataclass(frozen=True)
class StageReport:
    """One kind of task over all runs; times in seconds."""

    stage: str
    tasks: int
    median_seconds: float
    longest_seconds: float
    total_seconds: float


def totals_sql(table: Table) -> str:
    """Rows, ledgers and duplicates of a table."""
    ledger, keys = ledger_of_row(table), ", ".join(map(identifier, table.keys))
    distinct = f"(SELECT COUNT(*) FROM (SELECT DISTINCT {keys} FROM {table.table_id}))"
    duplicates = f"COUNT(*) - {distinct}" if table.unique else "CAST(NULL AS INT64)"
    return (
        f"SELECT COUNT(*) AS row_count, MIN({ledger}) AS first_ledger, MAX({ledger}) AS last_ledger, "
        f"{duplicates} AS duplicates FROM {table.table_id}"
    )


def gaps_sql(table: Table, start: datetime, end: datetime) -> str | None:
    """How many ledgers that closed in [start, end) are missing or incomplete; None where nothing tells."""

    def within(column: str) -> str:
        return f"{column} >= TIMESTAMP '{spelt(start)}' AND {column} < TIMESTAMP '{spelt(end)}'"

    headers = f"FROM {LEDGERS.table_id} WHERE {within(LEDGERS.closed_at_column)}"
    if table is LEDGERS:
        missing = "MAX(sequence) - MIN(sequence) + 1 - COUNT(DISTINCT sequence)"
        return f"SELECT COALESCE({missing}, 1) AS gaps {headers}"
    if not table.header_count:
        return None
    return (
        f"SELECT COUNT(*) AS gaps FROM (SELECT sequence, {table.header_count} AS expected {headers}) AS a "
        f"FULL JOIN (SELECT {ledger_of_row(table)} AS sequence, COUNT(*) AS found FROM {table.table_id} "
        f"WHERE {within(table.closed_at_column)} GROUP BY 1) AS b ON a.sequence = b.sequence "
        "WHERE COALESCE(a.expected, -1) <> COALESCE(b.found, 0)"
    )


def table_reports(
    query: Query,
    start: datetime,
    end: datetime,
    task_instances: Sequence[Mapping[str, Any]],
) -> list[TableReport]:
    """Reports on every table that the job's tasks load.

    Args:
        query: runs SQL in the warehouse.
        start: the first close time of the job.
        end: its end, excluded.
        task_instances: the job's tasks, as Airflow's REST API gives them.
    """
    reports, loaded = [], _loaded(task_instances)
    for table in loaded:
        totals = query(totals_sql(table))[0]
        gaps_query = gaps_sql(table, start, end) if LEDGERS in loaded else None
        failed = [
            task
            for task in task_instances
            if task["task_id"] == f"{table.data_type}.check" and task["state"] in ("failed", "up_for_retry")
        ]
        reports.append(
            TableReport(
                table.table_id,
                totals["row_count"],
                totals["first_ledger"],
                totals["last_ledger"],
                query(gaps_query)[0]["gaps"] or 0 if gaps_query else None,
                totals["duplicates"],
                len(failed),
            )
        )
    return reports


def _loaded(task_instances: Sequence[Mapping[str, Any]]) -> list[Table]:
    """The tables that tasks merge into; a derived table's task stands in a DAG of its name."""
    merged = {task["task_id"].split(".")[0] for task in task_instances if task["task_id"].endswith(".merge")}
    merged |= {task["dag_id"] for task in task_instances if task["task_id"] == "merge"}
    return [table for data_type, table in PUBLISHED.items() if data_type in merged]


def state_reports(query: Query, task_instances: Sequence[Mapping[str, Any]]) -> list[StateReport]:
    """Reports on every point-in-time table that the job's tasks bring up to date."""
    reports = []
    for table in _loaded(task_instances):
        if table.data_type not in STATES:
            continue
        name = state_table_id(table.table_id)
        (row,) = query(
            f"SELECT COUNTIF(NOT {DELETED}) AS entries, COUNTIF({DELETED}) AS deleted, "
            f"MAX({table.ledger_column}) AS last_ledger FROM {name}"
        )
        reports.append(StateReport(name, row["entries"], row["deleted"], row["last_ledger"]))
    return reports


def stage_reports(task_instances: Sequence[Mapping[str, Any]]) -> list[StageReport]:
    """Reports on every stage, in the order of a batch."""
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


Report = TableReport | StateReport | StageReport


def as_rows(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Reports as rows of a table, or for JSON."""
    return [asdict(report) for report in reports]
