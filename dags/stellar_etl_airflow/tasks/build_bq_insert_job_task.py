"""Derived tables: made by one statement from published ones, for a batch's ledgers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.lineage import Lineage, selected_columns
from stellar_etl_airflow.model.ranges import LedgerRange, has_range_params
from stellar_etl_airflow.model.tables import LEDGERS, OPERATIONS, TRANSACTIONS, Table
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator
from stellar_etl_airflow.operators.runtime import SOURCES_TASK, Run, pull_result
from stellar_etl_airflow.settings.warehouse import Target
from stellar_etl_airflow.sql.derived import check_sources, derive, selected_fields
from stellar_etl_airflow.sql.publish import replace_range
from stellar_etl_airflow.sql.records import moved
from stellar_etl_airflow.sql.statement import Parameter, Statement, asked_parameters, range_parameters

QUERIES = Path(__file__).resolve().parents[2] / "queries"
SOURCES = (LEDGERS, TRANSACTIONS, OPERATIONS)


def _names(warehouse: Warehouse) -> dict[Table, str]:
    return {table: warehouse.published(table) for table in SOURCES}


def missing(found: Mapping[str, Any]) -> list[str]:
    """What the sources lack, given the result row of `check_sources`; empty if nothing."""
    problems = []
    span = found["last_ledger"] - found["first_ledger"] + 1
    if found["ledgers"] != span:
        problems.append(f"{span - found['ledgers']} of {span} ledgers are not loaded, or loaded twice")
    for kind in ("transactions", "operations"):
        if found[f"found_{kind}"] != found[kind]:
            problems.append(f"{found[f'found_{kind}']} {kind} are loaded, and the ledgers have {found[kind]}")
    return problems


class CheckSourcesOperator(BigQueryJobsOperator):
    """Checks that the run's ledgers are loaded whole; result: which they are, and when they closed."""

    builder = "build_check_task"

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One query that counts the range's ledgers, transactions and operations."""
        statement = check_sources(_names(warehouse), Run.of(context).asked)
        return [query_job("check", statement, warehouse.config.maximum_bytes_billed)]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """The sources."""
        return Lineage([warehouse.published_dataset(table) for table in SOURCES])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> dict[str, Any]:
        """The range.

        Raises:
            AirflowException: a source lacks rows; a later try may find them.
            AirflowSkipException: no ledger closed in the data interval.
        """
        (row,) = jobs[0].result()
        found = dict(row.items())
        asked = Run.of(context).asked
        spelt = ", ".join(f"{parameter.name} {parameter.value}" for parameter in asked_parameters(asked))
        if not found["ledgers"]:
            message = f"no ledger of this range is loaded: {spelt}"
            raise AirflowException(message) if has_range_params(context["params"]) else AirflowSkipException(message)
        if isinstance(asked, LedgerRange) and (found["first_ledger"], found["last_ledger"]) != (asked.start, asked.end):
            raise AirflowException(
                f"ledgers {found['first_ledger']} to {found['last_ledger']} are loaded, not all of {spelt}"
            )
        if problems := missing(found):
            raise AirflowException(f"the sources of this range are not whole ({spelt}): {'; '.join(problems)}")
        return {
            "start_ledger": found["first_ledger"],
            "end_ledger": found["last_ledger"],
            "first_closed_at": found["first_closed_at"].astimezone(UTC).isoformat(),
            "last_closed_at": found["last_closed_at"].astimezone(UTC).isoformat(),
            "checked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }


class DerivedTableOperator(BigQueryJobsOperator):
    """Replaces the range's rows of a derived table by what its query gives now."""

    builder = "build_bq_insert_job_task"

    def __init__(self, *, table: Table, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table = table

    def cost_parts(self) -> dict[str, str]:
        """The table."""
        return {"table": self.table.table_id}

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Makes the table, or adds the columns that it lacks."""
        warehouse.ensure_published(self.table)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One merge for each target."""
        run, found = Run.of(context), pull_result(context, SOURCES_TASK)
        warehouse.check_partitions(self.table, found["first_closed_at"], found["last_closed_at"])
        query = derive(self._query(), _names(warehouse))
        parameters = (
            *range_parameters(
                found["start_ledger"], found["end_ledger"], found["first_closed_at"], found["last_closed_at"]
            ),
            Parameter("batch_id", "STRING", run.run_id),
            Parameter("batch_run_date", "DATETIME", run.batch_run_date),
            # Of the check and not of this try: a later try has to find the job of this one doing the same work.
            Parameter("batch_insert_ts", "TIMESTAMP", found["checked_at"]),
        )
        given = self._selected_fields(warehouse)

        def statement(target: Target) -> Statement:
            published = warehouse.published(self.table, target)
            columns = moved(given, warehouse.fields(published), warehouse.columns(self.table.table_id))
            return replace_range(self.table, published, query, columns, parameters)

        return warehouse.jobs("merge", statement)

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """The sources, into the table of each target."""
        sources = {table: warehouse.published_dataset(table) for table in SOURCES}
        outputs = [warehouse.published_dataset(self.table, target) for target in warehouse.config.targets]
        letters = {table.data_type[0]: dataset for table, dataset in sources.items()}
        return Lineage([*sources.values()], outputs, selected_columns(self._query(), letters))

    def _selected_fields(self, warehouse: Warehouse) -> list[dict[str, Any]]:
        """The columns that the query gives, with the nested columns as the sources' tables hold them."""
        sources = {table.data_type[0]: warehouse.fields(name) for table, name in _names(warehouse).items()}
        return selected_fields(self._query(), sources, warehouse.schema(self.table.table_id))

    def _query(self) -> str:
        return (QUERIES / f"{self.table.table_id}.sql").read_text()


def build_check_sources_task() -> CheckSourcesOperator:
    """A task that checks that ledgers, transactions and operations of the run's range are loaded whole."""
    return CheckSourcesOperator(task_id=SOURCES_TASK)


def build_bq_insert_job_task(table: Table) -> DerivedTableOperator:
    """A task that makes a derived table's rows of the run's range, by the query of its name in `dags/queries`."""
    return DerivedTableOperator(task_id="merge", table=table, pool=table.pool)
