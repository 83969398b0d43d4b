"""Between load and merge: what fails here leaves the published table as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from stellar_etl_airflow.batch import Batch
from stellar_etl_airflow.build_gcs_to_bq_task import STAGING_DAYS
from stellar_etl_airflow.jobs import Job, TableJobsOperator, Warehouse, query_job
from stellar_etl_airflow.runtime import batch_of
from stellar_etl_airflow.sql import CHECKS, Parameter, check_staging, range_parameters
from stellar_etl_airflow.tables import Table


def parameters_of(batch: Batch) -> tuple[Parameter, ...]:
    """The query parameters that name a batch's range."""
    return range_parameters(batch.range.start, batch.range.end, batch.first_closed_at, batch.last_closed_at)


def failures(counts: dict[str, int], exported_rows: int) -> list[str]:
    """What is wrong with a staging table, given the result row of `check_staging`; empty if nothing is."""
    found = [f"{counts[name]} {meaning}" for name, meaning in CHECKS.items() if counts[name]]
    if counts["row_count"] != exported_rows:
        found.insert(0, f"{counts['row_count']} rows, and the manifest says {exported_rows}")
    return found


class CheckStagingOperator(TableJobsOperator):
    """Counts what must not be in a staging table; result: the counts."""

    builder = "build_check_task"

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """One query over the staging table."""
        statement = check_staging(
            self.table,
            warehouse.name(self.staging_id(context)),
            warehouse.published(self.table),
            parameters_of(batch_of(context)),
        )
        return [query_job("check", statement, warehouse.config.maximum_bytes_billed)]

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> dict[str, int]:
        """The counts.

        Raises:
            AirflowFailException: a count is wrong; trying again would find the same rows.
        """
        (row,) = jobs[0].result()
        counts = {name: int(value) for name, value in row.items()}
        batch = batch_of(context)
        wrong = failures(counts, batch.files[self.table.data_type].rows)
        if wrong:
            raise AirflowFailException(
                f"{self.table.data_type} of ledgers {batch.range.start} to {batch.range.end} are not published: "
                f"{'; '.join(wrong)}. The rows are kept {STAGING_DAYS} days in "
                f"{warehouse.dataset_id}.{self.staging_id(context)}"
            )
        return counts


def build_check_task(table: Table) -> CheckStagingOperator:
    """A task that checks a table's staged rows: keys present and unique, rows in range, count as exported."""
    return CheckStagingOperator(task_id="check", table=table)
