"""Checks between load and merge. If one fails, the published table is unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.batch import STAGING_DAYS
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.metrics import Measurement
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, LEDGERS, Table, sources_of
from stellar_etl_airflow.operators.metrics import send
from stellar_etl_airflow.operators.runtime import batch_of, settings
from stellar_etl_airflow.operators.staged import StagedTableOperator
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.warehouse import CheckSettings
from stellar_etl_airflow.sql.batch_stats import LEDGER_COUNTS, ROWS_PER_LEDGER, rows_per_ledger
from stellar_etl_airflow.sql.checks import (
    CheckError,
    Loaded,
    Rule,
    against_sources,
    check_staging,
    column_rules,
    own_rules,
    shown,
)
from stellar_etl_airflow.sql.statement import Parameter, batch_parameters
from stellar_etl_airflow.tasks.build_bq_insert_job_task import QUERIES, are_complete


def failures(
    rules: Sequence[Rule], counts: Mapping[str, int], exported_rows: int | None, parameters: Sequence[Parameter]
) -> list[str]:
    """Return a message per problem of a staging table, with the query that shows the rows; empty if it is valid.

    Args:
        rules: the rules that were counted.
        counts: the result row of `check_staging`.
        exported_rows: the row count of the manifest; None if the rows have no export.
        parameters: the batch's parameters.
    """
    found = [
        f"{counts[rule.name]} {rule.meaning}; this query shows them:\n{shown(rule, parameters)}"
        for rule in rules
        if rule.refuses and counts[rule.name]
    ]
    if exported_rows is not None and counts["row_count"] != exported_rows:
        found.insert(0, f"{counts['row_count']} rows, but the manifest has {exported_rows}")
    return found


class CheckStagingOperator(StagedTableOperator):
    """Counts invalid rows of a staging table. The result includes the counts."""

    builder = "build_check_task"

    def _rules(self, context: Context, warehouse: Warehouse) -> list[Rule]:
        """Return the rules of the registry, then those of the Variable.

        Raises:
            SettingsError: a check of the Variable does not fit the table.
        """
        table, staging = self.table, warehouse.name(self.staging_id(context))
        table_id, fields = warehouse.config.table_id(table.data_type), warehouse.schema(table.table_id)
        loaded = Loaded(
            warehouse.published(table),
            table_id,
            stats=warehouse.name(BATCH_STATS_TABLE_ID) if warehouse.has(BATCH_STATS_TABLE_ID) else None,
            headers=warehouse.published(LEDGERS) if warehouse.holds(LEDGERS) else None,
        )
        file = batch_of(context).files.get(table.data_type)
        own = own_rules(table, staging, loaded, file.left_out if file else ())
        if table.derivation and table.derivation.against_sources:
            names = {source: warehouse.published(source) for source in sources_of(table).values()}
            query = (QUERIES / "checks" / f"{table.table_id}.sql").read_text()
            refuses = not table.derivation.against_complete or are_complete(warehouse, table, batch_of(context).range)
            own.append(against_sources(query, table, names, staging, refuses=refuses))
        try:
            return own + column_rules([*table.checks, *settings(CheckSettings).of(table_id)], staging, fields)
        except CheckError as error:
            raise SettingsError(f"Airflow Variable 'checks', table {table_id}: {error}") from None

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return one query of the staging table.

        Raises:
            AirflowFailException: the staging table does not exist.
        """
        self.staged_fields(context, warehouse)
        self.rules = self._rules(context, warehouse)
        statement = check_staging(
            warehouse.name(self.staging_id(context)),
            self.rules,
            batch_parameters(batch_of(context)),
            self.table,
        )
        return [query_job("check", statement, warehouse.config.maximum_bytes_billed)]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the staging table and the published table."""
        return Lineage([self.staging_dataset(context), warehouse.published_dataset(self.table)])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """Return the jobs' result and the `counts`.

        Raises:
            AirflowFailException: a count is wrong. A retry would find the same rows.
        """
        (row,) = jobs[0].result()
        by_ledger = row[LEDGER_COUNTS] or ""
        counts = {name: int(value) for name, value in row.items() if name != LEDGER_COUNTS}
        batch = batch_of(context)
        file = batch.files.get(self.table.data_type)
        wrong = failures(self.rules, counts, file.rows if file else None, batch_parameters(batch))
        if wrong:
            send([Measurement("failed_checks", len(wrong), {"table": self.table.table_id})])
            raise AirflowFailException(
                f"{self.table.data_type} of ledgers {batch.range.start} to {batch.range.end} are not published; the "
                f"rows are kept {STAGING_DAYS} days in {warehouse.dataset_id}.{self.staging_id(context)}. There are "
                + "\nand ".join(wrong)
            )
        for rule in self.rules:
            if counts[rule.name]:
                self.log.warning(
                    "%d %s. The task does not fail, because the sources of ledgers %d to %d are not complete; this "
                    "query shows them:\n%s",
                    *(counts[rule.name], rule.meaning, batch.range.start, batch.range.end),
                    shown(rule, batch_parameters(batch)),
                )
        return {
            **super().done(context, warehouse, jobs),
            "counts": counts,
            ROWS_PER_LEDGER: rows_per_ledger(by_ledger, batch.range),
        }


def build_check_task(table: Table) -> CheckStagingOperator:
    """Return a task that checks a table's staged rows: keys, range, counts, ledger chain, and column values."""
    return CheckStagingOperator(task_id="check", table=table)
