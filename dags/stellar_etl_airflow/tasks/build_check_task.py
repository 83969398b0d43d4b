"""Between load and merge: what fails here leaves the published table as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.batch import STAGING_DAYS
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.tables import LEDGERS, Table
from stellar_etl_airflow.operators.bigquery_jobs import TableJobsOperator
from stellar_etl_airflow.operators.runtime import batch_of, settings
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.warehouse import CheckSettings
from stellar_etl_airflow.sql.checks import CheckError, Rule, check_staging, column_rules, own_rules, shown
from stellar_etl_airflow.sql.statement import Parameter, batch_parameters


def failures(
    rules: Sequence[Rule], counts: Mapping[str, int], exported_rows: int, parameters: Sequence[Parameter]
) -> list[str]:
    """What is wrong with a staging table, each with the query that shows it; empty if nothing is.

    Args:
        rules: what was counted.
        counts: the result row of `check_staging`.
        exported_rows: what the manifest says.
        parameters: the batch's.
    """
    found = [
        f"{counts[rule.name]} {rule.meaning}; they are shown by:\n{shown(rule, parameters)}"
        for rule in rules
        if counts[rule.name]
    ]
    if counts["row_count"] != exported_rows:
        found.insert(0, f"{counts['row_count']} rows, and the manifest says {exported_rows}")
    return found


class CheckStagingOperator(TableJobsOperator):
    """Counts what must not be in a staging table; the counts are part of its result."""

    builder = "build_check_task"

    def _rules(self, context: Context, warehouse: Warehouse) -> list[Rule]:
        """What the registry says of the table, then what the Variable says.

        Raises:
            SettingsError: a check of the Variable doesn't fit the table.
        """
        table, staging = self.table, warehouse.name(self.staging_id(context))
        headers = warehouse.published(LEDGERS) if warehouse.holds(LEDGERS) else None
        table_id, fields = warehouse.config.table_id(table.data_type), warehouse.schema(table.table_id)
        own = own_rules(table, staging, warehouse.published(table), headers)
        try:
            return own + column_rules([*table.checks, *settings(CheckSettings).of(table_id)], staging, fields)
        except CheckError as error:
            raise SettingsError(f"Airflow Variable 'checks', table {table_id}: {error}") from None

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One query over the staging table."""
        self.rules = self._rules(context, warehouse)
        statement = check_staging(
            warehouse.name(self.staging_id(context)),
            self.rules,
            batch_parameters(batch_of(context)),
        )
        return [query_job("check", statement, warehouse.config.maximum_bytes_billed)]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """The staging table, and the published one next to it."""
        return Lineage([self.staging_dataset(context), warehouse.published_dataset(self.table)])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """The jobs' result, and the `counts`.

        Raises:
            AirflowFailException: a count is wrong; trying again would find the same rows.
        """
        (row,) = jobs[0].result()
        counts = {name: int(value) for name, value in row.items()}
        batch = batch_of(context)
        wrong = failures(self.rules, counts, batch.files[self.table.data_type].rows, batch_parameters(batch))
        if wrong:
            raise AirflowFailException(
                f"{self.table.data_type} of ledgers {batch.range.start} to {batch.range.end} are not published; the "
                f"rows are kept {STAGING_DAYS} days in {warehouse.dataset_id}.{self.staging_id(context)}. There are "
                + "\nand ".join(wrong)
            )
        return {**super().done(context, warehouse, jobs), "counts": counts}


def build_check_task(table: Table) -> CheckStagingOperator:
    """A task that checks a table's staged rows: keys, range, counts, chain, and what columns must hold."""
    return CheckStagingOperator(task_id="check", table=table)
